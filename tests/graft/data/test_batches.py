import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.common.files import InputError
from graft.data.arrays import load_array
from graft.data.batches import AHEAD, consecutive, read_ahead, read_batches
from graft.data.image_rows import ImageRows

CPU = torch.device("cpu")
ARRAY = np.random.default_rng(0).random((20, 1, 4, 4)).astype(np.float16)


@pytest.fixture
def path(tmp_path) -> Path:
    np.save(tmp_path / "images.npy", ARRAY)
    return tmp_path / "images.npy"


def test_batches_are_the_same_from_an_array_a_tensor_and_a_file(path):
    rows = np.array([3, 1, 4, 15, 9, 2, 6])
    batches = torch.tensor([6, 0, 3, 2, 1, 5, 4]).split(3)
    stored = ImageRows(load_array(path), rows)
    for images in (ARRAY[rows], torch.from_numpy(ARRAY[rows]), stored):
        found = list(read_batches(images, batches, CPU))
        for batch, order in zip(found, batches, strict=True):
            assert batch.dtype == torch.float32
            assert np.array_equal(batch, ARRAY[rows[order.numpy()]].astype(np.float32))


def test_consecutive_batches_have_each_row_once():
    assert consecutive(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert consecutive(0, 3) == []


def reader(fail_at: int) -> tuple[Callable[[int], int], list[int]]:
    """A function that fails for one number, and the numbers that it has read."""
    seen = []

    def read(number: int) -> int:
        if number == fail_at:
            raise InputError("images.npy: is broken")
        seen.append(number)
        return number

    return read, seen


def consume(results: Iterator[int]) -> list[int]:
    found = []
    with pytest.raises(InputError, match=r"images.npy: is broken"):
        found.extend(iter(lambda: next(results), None))
    return found


def test_only_a_few_items_are_read_ahead():
    read, seen = reader(fail_at=-1)
    results = read_ahead(read, range(100))
    assert next(results) == 0
    results.close()
    assert len(seen) <= AHEAD + 1


def test_an_error_is_raised_at_its_item_and_the_thread_ends():
    before = threading.active_count()
    read, _ = reader(fail_at=5)
    assert consume(read_ahead(read, range(100))) == [0, 1, 2, 3, 4]
    assert threading.active_count() == before


def test_the_thread_ends_if_the_consumer_stops(path):
    before = threading.active_count()
    stored = ImageRows(load_array(path), np.arange(20))
    for _ in read_batches(stored, consecutive(20, 2), CPU):
        break
    assert threading.active_count() == before


def test_a_file_that_becomes_shorter_while_batches_are_read_is_one_line(path):
    batches = read_batches(ImageRows(load_array(path), np.arange(20)), consecutive(20, 2), CPU)
    next(batches)
    with path.open("r+b") as file:
        file.truncate(200)
    with pytest.raises(InputError, match=r"images.npy: was changed while it was read"):
        list(batches)
