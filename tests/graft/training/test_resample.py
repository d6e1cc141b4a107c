import pytest
import torch
from torch.nn import functional as F

from graft.training.resample import resample


@pytest.mark.parametrize("spatial", [(5, 9), (6, 5, 9), (1, 4, 4)])
def test_it_resamples_as_pytorch_does_with_a_grid(spatial):
    """Affine maps that reach far beyond patches with unequal sides, in two channels."""
    random = torch.Generator().manual_seed(1)
    dimensions = len(spatial)
    images = torch.rand(16, 2, *spatial, generator=random)
    noise = 0.5 * torch.randn(16, dimensions, dimensions + 1, generator=random)
    affine = torch.eye(dimensions, dimensions + 1) + noise
    affine[:8, :, -1] *= 8  # voxels
    # PyTorch's maps are in halves of the patch, and their axes are in the opposite order.
    half = torch.tensor(spatial) / 2
    linear = affine[:, :, :-1] * half / half[:, None]
    shift = affine[:, :, -1:] / half[:, None]
    theta = torch.cat([linear.flip(1, 2), shift.flip(1)], 2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(resample(images, affine), expected, atol=2e-5)
