import numpy as np
import pytest
import torch
from monai.transforms.croppad.array import ResizeWithPadOrCrop
from monai.transforms.intensity.array import ScaleIntensityRange

from graft.grids.grid import Grid
from graft.ingest.arrays import cut_sample


@pytest.mark.parametrize("window", [(0.0, 1.0), (0.9, 0.1), (-0.3, 1.7)])
@pytest.mark.parametrize("side", [5, 6, 9, 10])
@pytest.mark.parametrize("patch", [(6, 7, 9), (9, 4, 5)])
def test_a_sample_is_windowed_and_cropped_as_by_monai(side, patch, window):
    image = np.random.default_rng(side).random((2, side, 8, 7)).astype(np.float32)
    grid = Grid(patch, (1.0, 1.0, 1.0), window)
    found, above_floor = cut_sample(image, grid, "here")
    windowed = np.asarray(ScaleIntensityRange(*window, 0.0, 1.0, clip=True)(image))
    expected = ResizeWithPadOrCrop(patch)(torch.from_numpy(windowed)).numpy()
    assert found.tobytes() == expected.astype(np.float16).tobytes()
    assert above_floor == (windowed > 0).any(0).sum()
