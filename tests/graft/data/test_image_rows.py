import os
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.common.files import InputError
from graft.data import image_rows
from graft.data.arrays import load_array
from graft.data.image_rows import ImageRows, all_rows

ARRAY = np.random.default_rng(0).random((20, 1, 3, 5)).astype(np.float16)
ROWS = np.array([7, 8, 9, 2, 2, 19, 0])


@pytest.fixture
def path(tmp_path) -> Path:
    np.save(tmp_path / "images.npy", ARRAY)
    return tmp_path / "images.npy"


@pytest.fixture
def stored(path) -> ImageRows:
    return ImageRows(load_array(path), ROWS)


@pytest.mark.parametrize(
    "chosen", [slice(None), slice(1, 4), slice(3, 3), np.array([6, 0, 1]), torch.tensor([5, 5, 2])]
)
def test_rows_are_those_of_the_array(stored, chosen):
    expected = ARRAY[ROWS][chosen]
    found = stored[chosen]
    assert found.dtype == np.float16
    assert type(found) is np.ndarray
    assert np.array_equal(found, expected)
    assert np.array_equal(ImageRows(ARRAY, ROWS)[chosen], expected)
    assert len(stored) == len(ROWS)
    assert stored.shape == (7, 1, 3, 5)
    assert stored.nbytes == ARRAY[ROWS].nbytes


def test_rows_of_a_part_of_a_map_or_in_another_order_are_right(path, tmp_path):
    part = load_array(path)[5:]
    assert np.array_equal(ImageRows(part, ROWS[:5])[:], part[ROWS[:5]])
    np.save(tmp_path / "fortran.npy", np.asfortranarray(ARRAY))
    fortran = load_array(tmp_path / "fortran.npy")
    assert np.array_equal(ImageRows(fortran, ROWS)[:], ARRAY[ROWS])


@pytest.mark.parametrize("block", [1, 100, 2**24])
def test_blocks_are_the_whole_array_in_order(path, block, monkeypatch):
    monkeypatch.setattr(image_rows, "BLOCK_BYTES", block)
    assert np.array_equal(np.concatenate(list(all_rows(load_array(path)).blocks())), ARRAY)
    assert np.array_equal(np.concatenate(list(all_rows(ARRAY).blocks())), ARRAY)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def replace(path: Path) -> None:
    np.save(path.with_name("new.npy"), ARRAY)
    path.with_name("new.npy").replace(path)


def overwrite(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize("change", [cut, replace, overwrite])
def test_a_changed_file_is_one_line(stored, path, change):
    change(path)
    message = "images.npy: was changed while it was read, expected the same file until the stage"
    with pytest.raises(InputError, match=message):
        stored[:]


def test_a_deleted_file_is_one_line(stored, path):
    path.unlink()
    with pytest.raises(InputError, match=r"images.npy: cannot be read \(.*No such file"):
        stored[:]
