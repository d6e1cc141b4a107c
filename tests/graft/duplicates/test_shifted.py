"""Copies that were cut out elsewhere, of made-up and of real images."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, shift

from graft.duplicates.shifted import shifted_copies

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("GRAFT_SHARED_DATA", ROOT.parent / "shared/data"))
SIZE = {2: 48, 3: 32}
COUNT = 5


def texture(seed: int, axes: int) -> np.ndarray:
    """Blobs of several sizes, larger than an image by a quarter on each side."""
    rng = np.random.default_rng(seed)
    size = SIZE[axes] * 3 // 2
    total = np.zeros((size,) * axes)
    for sigma in (1.5, 3):
        noise = gaussian_filter(rng.standard_normal(total.shape), sigma)
        total += noise / noise.std()
    return 0.5 + 0.12 * total


def cut(picture: np.ndarray, offset: tuple[float, ...] = ()) -> np.ndarray:
    """Cut an image (1, *spatial) out of a larger picture, `offset` voxels from its middle."""
    offset = offset or (0,) * picture.ndim
    size = picture.shape[0] * 2 // 3
    start = size // 4
    moved = shift(picture, [-part for part in offset], order=1, mode="nearest")
    middle = (slice(start, start + size),) * picture.ndim
    return np.clip(moved[middle], 0, 1)[None].astype(np.float16)


def pairs(images: list[np.ndarray], groups: np.ndarray | None = None) -> set[tuple[int, int]]:
    return {(pair.first, pair.second) for pair in shifted_copies(images, groups)}


def add_noise(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(image.shape)
    return image + 0.02 * noise


CHANGES = {
    "shifted": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "mirrored along all axes": lambda image: np.flip(image, axis=tuple(range(1, image.ndim))),
    "in another window": lambda image: np.clip(0.1 + 0.7 * image, 0, 1),
    "light for dark": lambda image: 1 - image,
    "noisy": add_noise,
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("offset", [(8, -7), (3.5, 2.5), (6, -5, 7), (2.5, 3.5, -1.5)])
def test_a_shifted_copy_is_found_and_other_images_are_not(offset, name):
    pictures = [texture(seed, len(offset)) for seed in range(COUNT)]
    originals = [cut(picture) for picture in pictures]
    copies = [CHANGES[name](cut(picture, offset)) for picture in pictures[:2]]
    assert pairs(originals + copies) == {(0, COUNT), (1, COUNT + 1)}


def test_the_evidence_has_the_share_of_the_overlap():
    picture = texture(0, axes=2)
    copy = cut(picture, (12, 0))[:, ::-1]
    (pair,) = shifted_copies([cut(picture), copy])
    assert pair.evidence == "mirrored and shifted, correlation 1.000 in 75% of the image"


def test_a_large_plane_is_compared_at_lower_resolution():
    large = np.kron(texture(0, axes=2), np.ones((4, 4)))
    other = np.kron(texture(1, axes=2), np.ones((4, 4)))
    assert pairs([cut(large), cut(other), cut(large, (13, -18))]) == {(0, 2)}


def test_images_of_one_group_are_not_compared():
    picture = texture(0, axes=3)
    images = [cut(picture), cut(picture, (2, 0, 0)), cut(picture, (0, 3, 0)), cut(texture(1, 3))]
    assert pairs(images, np.array([0, 0, 1, 1])) == {(0, 2), (1, 2)}


@pytest.mark.parametrize("size", [(1, 8, 8, 8), (1, 8, 8), (3, 40, 40)])
def test_images_without_content_or_room_for_a_keypoint_have_no_copies(size):
    rng = np.random.default_rng(0)
    flat = np.full(size, 0.5, np.float16)
    small = rng.random(size).astype(np.float16)
    assert pairs([flat, flat.copy(), small, small[..., ::-1]]) in (set(), {(2, 3)})
    assert pairs([]) == set()


def wall(angle: float, place: float) -> np.ndarray:
    """A flat wall between tissue and air, with fine noise."""
    x, y, _ = np.indices((32, 32, 32)) - 16
    distance = x * np.cos(angle) + y * np.sin(angle) - place
    noise = gaussian_filter(
        np.random.default_rng(int(100 + 10 * place)).standard_normal(x.shape), 1
    )
    return np.clip(1 / (1 + np.exp(-distance)) * 0.8 + 0.05 + 0.1 * noise, 0, 1)[None]


def test_flat_walls_are_not_copies_of_each_other():
    walls = [wall(0.1, place) for place in (-4, -1, 2, 5)]
    walls += [wall(0.9, place) for place in (-3, 0.5, 4)]
    assert pairs([image.astype(np.float16) for image in walls]) == set()


def shared(path: str) -> Path:
    if not (SHARED / path).exists():
        pytest.skip(f"{path} is not there")
    return SHARED / path


def move(volume: np.ndarray, offset: tuple[int, ...]) -> np.ndarray:
    """Move a shape on an empty background."""
    return shift(volume.astype(np.float32), offset, order=0)[None].astype(np.float16)


@pytest.mark.parametrize(
    ("file", "key", "every"),
    [
        ("lung_lidc/volumes_1mm_32.npz", "volumes", 30),
        ("adrenal/adrenalmnist3d.npz", "train_images", 40),
    ],
)
def test_real_shapes_cut_out_elsewhere_are_found_and_those_of_others_are_not(file, key, every):
    volumes = np.load(shared(file))[key][::every] / 255
    originals = [volume[None].astype(np.float16) for volume in volumes]
    copies = [move(volume, (3, -2, 4))[:, ::-1] for volume in volumes[:8]]
    found = pairs(originals + copies)
    true = {(number, len(originals) + number) for number in range(8)}
    assert found <= true
    assert len(found) >= 7


def test_real_sonograms_cut_out_elsewhere_are_found_and_those_of_others_are_not():
    files = sorted(shared("liver_us/images").glob("*.jpg"))[::3]
    originals = []
    copies = []
    for file in files:
        pixels = np.asarray(Image.open(file).convert("L").resize((150, 112)))[None] / 255
        originals.append(pixels[:, 8:104, 10:106].astype(np.float16))
        copies.append(
            pixels[
                :,
                16:112,
                30:126,
            ][:, :, ::-1].astype(np.float16)
        )
    count = len(files)
    expected = {(number, count + number) for number in range(count)}
    assert pairs(originals + copies) == expected
