import torch
from torch.nn import functional as F

from graft.common.seeds import generator
from graft.training.augment import Transform, apply, draw
from graft.training.settings import Augment

STILL = Augment(flip=0.0, rotate=0.0, scale=0.0, shift=0.0, contrast=0.0, brightness=0.0, noise=0.0)


def transform(
    linear: list, shift: list, contrast: float = 1, brightness: float = 0, noise: float = 0
) -> Transform:
    """One transform of one sample."""
    affine = torch.cat([torch.tensor(linear).float(), torch.tensor(shift).float()[:, None]], 1)
    return Transform(
        affine=affine[None],
        contrast=torch.tensor([float(contrast)]),
        brightness=torch.tensor([float(brightness)]),
        noise=torch.tensor([float(noise)]),
        seed=1,
    )


def test_limits_of_zero_leave_images_as_they_are():
    images = torch.rand(3, 2, 6, 5, 4)
    assert torch.allclose(apply(images, draw(STILL, 3, 3, generator(0))), images, atol=1e-6)


def test_a_shift_is_in_voxels_along_its_own_axis():
    image = torch.rand(1, 1, 4, 6)
    moved = apply(image, transform([[1, 0], [0, 1]], [1, 0]))
    assert torch.allclose(moved[0, 0, :3], image[0, 0, 1:], atol=1e-6)
    assert torch.allclose(moved[0, 0, 3], image[0, 0, 3], atol=1e-6)  # the border is repeated


def test_a_quarter_turn_and_a_mirror_are_exact():
    image = torch.rand(1, 1, 4, 4)
    turned = apply(image, transform([[0, -1], [1, 0]], [0, 0]))
    assert torch.allclose(turned, torch.rot90(image, -1, (2, 3)), atol=1e-6)
    mirrored = apply(image, transform([[1, 0], [0, -1]], [0, 0]))
    assert torch.allclose(mirrored, image.flip(3), atol=1e-6)


def test_rotation_keeps_distances_in_a_patch_with_unequal_sides():
    """A voxel 3 from the centre on the long axis goes to one 3 from the centre on the short."""
    image = torch.zeros(1, 1, 9, 17)
    image[0, 0, 4, 11] = 1
    turned = apply(image, transform([[0, -1], [1, 0]], [0, 0]))
    (bright,) = (turned > 0.5).nonzero().tolist()
    assert bright in ([0, 0, 1, 8], [0, 0, 7, 8])


def test_intensities_by_hand_and_clipped():
    image = torch.tensor([[[[0.5, 0.7], [0.0, 1.0]]]])
    changed = apply(image, transform([[1, 0], [0, 1]], [0, 0], contrast=2, brightness=0.05))
    expected = torch.tensor([[[[0.55, 0.95], [0.0, 1.0]]]])  # (x − ½)·2 + ½ + 0.05, within [0, 1]
    assert torch.allclose(changed, expected, atol=1e-6)


def test_noise_has_its_standard_deviation_and_its_seed():
    image = torch.full((1, 1, 64, 64), 0.5)
    noisy = [apply(image, transform([[1, 0], [0, 1]], [0, 0], noise=0.1)) for _ in range(2)]
    assert torch.equal(*noisy)
    assert abs(noisy[0].std().item() - 0.1) < 0.005


def test_draws_stay_within_their_limits():
    limits = Augment(
        flip=0.5, rotate=30.0, scale=0.1, shift=2.0, contrast=0.2, brightness=0.1, noise=0.03
    )
    drawn = draw(limits, 500, 3, generator(3))
    scale = torch.linalg.det(drawn.affine[:, :, :3]).abs() ** (1 / 3)
    assert scale.min() >= 0.9
    assert scale.max() <= 1.1
    assert drawn.affine[:, :, 3].abs().max() <= 2
    assert drawn.contrast.min() >= 0.8
    assert drawn.contrast.max() <= 1.2
    assert drawn.brightness.abs().max() <= 0.1
    assert drawn.noise.max() <= 0.03
    mirrored = (torch.linalg.det(drawn.affine[:, :, :3]) < 0).float().mean()
    assert 0.4 < mirrored < 0.6  # an odd number of three fair flips


def test_the_composition_is_one_linear_resampling():
    """torch's affine_grid gives the same on a cube, as it needs no scaling by axis there."""
    images = torch.rand(2, 1, 8, 8, 8)
    limits = Augment(
        flip=0.5, rotate=30.0, scale=0.1, shift=0.0, contrast=0.0, brightness=0.0, noise=0.0
    )
    drawn = draw(limits, 2, 3, generator(5))
    theta = torch.cat([drawn.affine[:, :, :3].flip(1, 2), torch.zeros(2, 3, 1)], 2)
    grid = F.affine_grid(theta, images.shape, align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(apply(images, drawn), expected, atol=1e-5)
