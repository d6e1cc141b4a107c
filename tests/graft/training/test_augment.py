import torch
from scipy.stats import kstest
from torch.nn import functional as F

from graft.common.seeds import generator
from graft.training.augment import NOISE_OFFSETS, Transform, apply, draw, draw_noise
from graft.training.settings import Augment

NO_AUGMENTATION = Augment(
    flip=0.0,
    rotate=0.0,
    scale=0.0,
    shift=0.0,
    contrast=0.0,
    brightness=0.0,
    noise=0.0,
)
IDENTITY = [[1, 0], [0, 1]]
QUARTER_TURN = [[0, -1], [1, 0]]
MIRROR_OF_COLUMNS = [[1, 0], [0, -1]]


def one_transform(
    linear: list,
    shift: tuple[float, float] = (0, 0),
    contrast: float = 1,
    brightness: float = 0,
    noise: float = 0,
) -> Transform:
    """Make the transform of one two-dimensional sample."""
    matrix = torch.tensor(linear).float()  # (2, 2)
    column = torch.tensor(shift).float()[:, None]  # (2, 1)
    affine = torch.cat([matrix, column], dim=1)  # (2, 3)
    return Transform(
        affine=affine[None],
        contrast=torch.tensor([float(contrast)]),
        brightness=torch.tensor([float(brightness)]),
        noise=torch.tensor([float(noise)]),
        offset=torch.tensor([7]),
    )


def test_limits_of_zero_leave_images_unchanged():
    images = torch.rand(3, 2, 6, 5, 4)
    transform = draw(NO_AUGMENTATION, 3, 3, generator(0))
    assert torch.allclose(apply(images, transform), images, atol=1e-5)


def test_a_shift_is_in_voxels_along_its_own_axis():
    image = torch.rand(1, 1, 4, 6)
    moved = apply(image, one_transform(IDENTITY, shift=(1, 0)))
    rows = image[0, 0]
    moved_rows = moved[0, 0]
    assert torch.allclose(moved_rows[:3], rows[1:], atol=1e-6)
    # The border is repeated.
    assert torch.allclose(moved_rows[3], rows[3], atol=1e-6)


def test_a_quarter_turn_and_a_mirror_are_exact():
    image = torch.rand(1, 1, 4, 4)
    turned = apply(image, one_transform(QUARTER_TURN))
    expected = torch.rot90(image, -1, (2, 3))
    assert torch.allclose(turned, expected, atol=1e-6)
    mirrored = apply(image, one_transform(MIRROR_OF_COLUMNS))
    assert torch.allclose(mirrored, image.flip(3), atol=1e-6)


def test_rotation_keeps_distances_in_a_patch_with_unequal_sides():
    # The centre is (4, 8). The bright voxel lies 3 from it along the long axis.
    image = torch.zeros(1, 1, 9, 17)
    image[0, 0, 4, 11] = 1
    turned = apply(image, one_transform(QUARTER_TURN))
    # After the turn it lies 3 from the centre along the short axis.
    (bright,) = (turned > 0.5).nonzero().tolist()
    assert bright in ([0, 0, 1, 8], [0, 0, 7, 8])


def test_intensities_by_hand_are_clipped():
    image = torch.tensor([[0.5, 0.7], [0.0, 1.0]])
    transform = one_transform(IDENTITY, contrast=2, brightness=0.05)
    changed = apply(image[None, None], transform)
    # (x - 0.5) * 2 + 0.5 + 0.05, clipped to [0, 1]: 0 becomes -0.45 and 1 becomes 1.55.
    expected = torch.tensor([[0.55, 0.95], [0.0, 1.0]])
    assert torch.allclose(changed, expected[None, None], atol=1e-6)


def test_the_noise_of_an_image_is_its_part_of_the_bank_times_its_factor():
    image = torch.full((1, 1, 4, 4), 0.5)
    bank = torch.arange(40.0)
    noisy = apply(image, one_transform(IDENTITY, noise=-0.01), bank)
    # The part begins at 7.
    expected = 0.5 - 0.01 * torch.arange(7.0, 23.0).view(1, 1, 4, 4)
    assert torch.allclose(noisy, expected, atol=1e-6)
    assert torch.allclose(apply(image, one_transform(IDENTITY, noise=-0.01)), image)


def test_noise_is_normally_distributed_and_its_voxels_are_independent():
    """Noise of images at drawn places of a bank, against the normal distribution."""
    limits = NO_AUGMENTATION.model_copy(update={"noise": 1.0})
    bank = draw_noise(64, generator(1))
    drawn = draw(limits, 4000, 2, generator(2))
    starts = drawn.offset[:, None] + torch.arange(64)
    noise = bank[starts] * drawn.noise.sign()[:, None]  # (4000, 64) with the deviation 1
    assert drawn.offset.max() < NOISE_OFFSETS == len(bank) - 63
    assert kstest(noise.flatten(), "norm").statistic < 0.005
    neighbours = (noise[:, 1:] * noise[:, :-1]).mean().item()  # their correlation
    assert abs(neighbours) < 0.01
    assert 0.48 < (drawn.noise > 0).float().mean() < 0.52


def test_draws_stay_within_their_limits():
    limits = Augment(
        flip=0.5,
        rotate=30.0,
        scale=0.1,
        shift=2.0,
        contrast=0.2,
        brightness=0.1,
        noise=0.03,
    )
    drawn = draw(limits, 500, 3, generator(3))
    determinant = torch.linalg.det(drawn.affine[:, :, :3])  # (500,)
    scale = determinant.abs() ** (1 / 3)
    assert scale.min() >= 0.9
    assert scale.max() <= 1.1
    shift = drawn.affine[:, :, 3]
    assert shift.abs().max() <= 2
    assert drawn.contrast.min() >= 0.8
    assert drawn.contrast.max() <= 1.2
    assert drawn.brightness.abs().max() <= 0.1
    assert drawn.noise.abs().max() <= 0.03
    # A mirror is an odd number of three fair flips, which has probability 1/2.
    mirrored = (determinant < 0).float().mean()
    assert 0.4 < mirrored < 0.6


def test_the_composition_is_one_linear_resampling():
    # On a cube, torch's affine_grid needs no scaling by axis, so it gives the same.
    images = torch.rand(2, 1, 8, 8, 8)
    limits = Augment(
        flip=0.5,
        rotate=30.0,
        scale=0.1,
        shift=0.0,
        contrast=0.0,
        brightness=0.0,
        noise=0.0,
    )
    drawn = draw(limits, 2, 3, generator(5))
    # torch orders the axes x, y, z: from the last to the first.
    linear = drawn.affine[:, :, :3].flip(1, 2)
    no_shift = torch.zeros(2, 3, 1)
    theta = torch.cat([linear, no_shift], dim=2)  # (2, 3, 4)
    grid = F.affine_grid(theta, images.shape, align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    assert torch.allclose(apply(images, drawn), expected, atol=1e-5)
