"""The parameter `channels`, on pictures, arrays and MedMNIST files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.common.files import InputError
from graft.grids.grid import Grid
from tests.raw import read_domain

CLASSES = ["benign", "malignant"]
GRID = Grid((8, 8), (1.0, 1.0), (0.0, 255.0))
COLOUR = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3), np.uint8)
LUMA = (0.299, 0.587, 0.114)


def write_pictures(folder: Path) -> Path:
    """A grey picture and one in colour of each class."""
    for label, colour in zip(CLASSES, COLOUR, strict=True):
        (folder / label).mkdir(parents=True)
        Image.fromarray(colour).save(folder / label / "colour.png")
        Image.fromarray(colour[..., 0]).save(folder / label / "grey.png")
    return folder


def write_arrays(folder: Path, channels: int) -> Path:
    images = np.random.default_rng(2).integers(0, 256, (4, channels, 8, 8), np.uint8)
    np.save(folder / "data.npy", images)
    np.save(folder / "labels.npy", np.array([0, 1, 0, 1]))
    return folder


def read_images(path: Path, channels: str) -> np.ndarray:
    return read_domain(path, "liver", CLASSES, GRID, channels=channels).images


def test_pictures_in_colour_become_grey(tmp_path, capsys):
    images = read_images(write_pictures(tmp_path), "grey")
    assert images.shape == (4, 1, 8, 8)
    assert images.dtype == np.float16
    assert np.allclose(images[0, 0], COLOUR[0] @ LUMA / 255, atol=1e-3)
    assert "3 channels became grey, as domains.liver.channels says" in capsys.readouterr().out


def test_grey_pictures_keep_their_bytes_beside_those_in_colour(tmp_path):
    folder = write_pictures(tmp_path)
    beside_colour = read_images(folder, "grey")
    for label in CLASSES:
        (folder / label / "colour.png").unlink()
    alone = read_images(folder, "auto")
    assert alone.shape == (2, 1, 8, 8)
    assert np.array_equal(beside_colour[[1, 3]], alone)
    assert np.array_equal(read_images(folder, "rgb"), np.repeat(alone, 3, axis=1))


def test_colours_stay_if_they_are_wanted(tmp_path):
    folder = write_pictures(tmp_path)
    assert np.array_equal(read_images(folder, "rgb"), read_images(folder, "auto"))


@pytest.mark.parametrize(("channels", "count"), [("auto", 3), ("rgb", 3), ("grey", 1)])
def test_arrays_are_converted_too(tmp_path, channels, count):
    assert read_images(write_arrays(tmp_path, 3), channels).shape == (4, count, 8, 8)


@pytest.mark.parametrize(("channels", "count"), [("auto", 3), ("rgb", 3), ("grey", 1)])
def test_a_medmnist_file_in_colour_is_converted_too(tmp_path, channels, count):
    arrays = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = COLOUR
        arrays[f"{part}_labels"] = np.array([[0], [1]])
    np.savez(tmp_path / "pneumoniamnist.npz", **arrays)
    assert read_images(tmp_path, channels).shape == (6, count, 8, 8)


@pytest.mark.parametrize("channels", ["grey", "rgb"])
def test_other_channels_are_not_converted(tmp_path, channels):
    folder = write_arrays(tmp_path, 2)
    assert read_images(folder, "auto").shape == (4, 2, 8, 8)
    message = f"domains.liver.channels: got '{channels}', expected auto, because .* 2 channels"
    with pytest.raises(InputError, match=message):
        read_images(folder, channels)
