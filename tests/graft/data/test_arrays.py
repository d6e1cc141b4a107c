import resource

import numpy as np
import pytest

from graft.data.arrays import load_array, save_array, save_rows

ARRAY = np.arange(13_824, dtype=np.float16).reshape(27, 1, 8, 8, 8)


def test_the_bytes_are_those_of_numpy(tmp_path):
    for name, array in (("c", ARRAY), ("f", np.asfortranarray(ARRAY)), ("none", ARRAY[:0])):
        save_array(tmp_path / name, array)
        np.save(tmp_path / "expected.npy", array)
        assert (tmp_path / name).read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_rows_one_by_one_give_the_bytes_of_all_together(tmp_path):
    save_rows(tmp_path / "rows", iter(ARRAY.astype(float)), ARRAY.shape, np.float16)
    np.save(tmp_path / "expected.npy", ARRAY)
    assert (tmp_path / "rows").read_bytes() == (tmp_path / "expected.npy").read_bytes()
    with pytest.raises(ValueError, match="got 26624 bytes of rows, expected those of"):
        save_rows(tmp_path / "rows", ARRAY[:-1], ARRAY.shape, np.float16)


@pytest.mark.parametrize("missing", [1, 500, 4000, 20_000])
def test_a_disk_without_space_for_the_end_of_an_array_is_an_error(tmp_path, missing):
    path = tmp_path / "images.npy"
    save_array(path, ARRAY)
    assert (load_array(path) == ARRAY).all()
    size = path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - missing, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_array(path, ARRAY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
