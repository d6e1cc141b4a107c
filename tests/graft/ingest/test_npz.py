import io
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from graft.common.files import InputError
from graft.ingest.npz import read_npz
from tests.limited import run_limited


def npy(array: np.ndarray, shape: str | None = None, **options: object) -> bytes:
    """An array in the .npy format, whose header may claim another shape."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    content = file.getvalue()
    if shape is None:
        return content
    claimed = f"'shape': {shape}, }}".encode()
    start = content.index(b"'shape'")
    end = content.index(b"\n", start)
    return content[:start] + claimed.ljust(end - start) + content[end:]


def write(path: Path, content: bytes, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.npy", content)
    return path


@pytest.mark.parametrize("array", [np.arange(6).reshape(2, 3), np.array(["b"]), np.zeros((0, 2))])
def test_an_array_is_read(tmp_path, array):
    path = write(tmp_path / "a.npz", npy(array))
    assert np.array_equal(read_npz(path, ["a"])["a"], array)


MANY = "(7500000000000,)"
CLAIMS = [
    (npy(np.zeros(3), MANY), "a claims 60000000000000 bytes, expected 24 as in the archive"),
    (npy(np.zeros(3), "(-3,)"), r"a claims the shape \(-3,\)"),
    (npy(np.zeros(3), "(2,)"), "a claims 16 bytes, expected 24"),
    (npy(np.zeros(3), "(3, 2.5)"), "cannot be read as arrays without pickle"),
    (npy(np.array([{}], object)), "a contains pickled objects"),
    (npy(np.zeros(3), version=(3, 0)), r"a is a .npy of version \(3, 0\)"),
    (npy(np.zeros(3), version=(2, 0)), r"a is a .npy of version \(2, 0\)"),
    (b"not an array", "cannot be read as arrays without pickle"),
    (b"", "cannot be read as arrays without pickle"),
]


@pytest.mark.parametrize(("content", "message"), CLAIMS)
def test_a_header_that_cannot_be_true_is_refused_at_once(tmp_path, content, message):
    path = write(tmp_path / "a.npz", content)
    found = run_limited(partial(read_npz, path, ["a"]), memory=1 << 27, seconds=5)
    with pytest.raises(InputError, match=f"a.npz: {message}"):
        read_npz(path, ["a"])
    assert found.startswith(f"{path}: ")


def test_more_than_the_memory_of_the_machine_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: 1024)
    path = write(tmp_path / "a.npz", npy(np.zeros(1 << 18)))
    with pytest.raises(InputError, match="a.npz: needs 2097152 bytes, expected at most 1048576"):
        read_npz(path, ["a"])


def test_an_archive_that_claims_more_than_it_can_hold_is_refused(tmp_path):
    path = write(tmp_path / "a.npz", npy(np.zeros(3), "(125000000,)"))
    content = path.read_bytes()
    size = len(npy(np.zeros(3)))
    larger = size - 24 + 1_000_000_000
    old, new = (number.to_bytes(4, "little") for number in (size, larger))
    path.write_bytes(content.replace(old, new))
    found = run_limited(partial(read_npz, path, ["a"]), memory=1 << 27, seconds=5)
    assert "a claims 1000000000 bytes, too many for its" in found


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path, compression):
    path = write(tmp_path / "a.npz", npy(np.zeros(3)), compression)
    with pytest.raises(InputError, match="a is compressed in another way, expected deflate"):
        read_npz(path, ["a"])


def test_a_flipped_bit_is_noticed(tmp_path):
    path = write(tmp_path / "a.npz", npy(np.arange(1000.0)), zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="a.npz: cannot be read .*Bad CRC-32"):
        read_npz(path, ["a"])
