import gzip
import os
import socket
import sys
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest

from graft.common.files import InputError
from graft.volumes import inflate
from graft.volumes.volume_files import read_volume
from tests.limited import run_limited

VOXELS = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def library(request, monkeypatch) -> None:
    """The library that inflates: ISA-L, and zlib where ISA-L is not installed."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    names = {"isal": "isal.isal_zlib", "zlib": "zlib"}
    assert inflate._find_library().__name__ == names[request.param]


def nifti(shape: tuple[int, ...] = (3, 4, 5), datatype: int = 4) -> bytearray:
    """A file of 60 voxels with a header that claims something else."""
    content = bytearray(nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes())
    dim = np.ones(8, "<i2")
    dim[0] = len(shape)
    dim[1 : len(shape) + 1] = shape
    content[40:56] = dim.tobytes()
    content[70:72] = np.int16(datatype).tobytes()
    return content


def test_a_gzip_file_of_several_members_is_read_with_zeros_after_it(tmp_path):
    content = bytes(nifti())
    members = [gzip.compress(content[:100]), gzip.compress(b""), gzip.compress(content[100:])]
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"".join(members) + bytes(1000))
    assert np.array_equal(read_volume(path).voxels, VOXELS)


def test_any_bytes_inflate_to_what_they_were(tmp_path):
    content = np.random.default_rng(0).integers(0, 4, 600_000, np.uint8).tobytes()
    path = tmp_path / "a.gz"
    for level in (0, 1, 9):
        path.write_bytes(gzip.compress(content, level))
        with path.open("rb") as file:
            assert b"".join(inflate.inflate(file)) == content


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(inflate, "MAX_GZIP_MEMBERS", 10)
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(b"") * 11)
    with pytest.raises(InputError, match="scan.nii.gz: has over 10 gzip members"):
        read_volume(path)


@pytest.mark.parametrize(
    ("shape", "datatype", "message"),
    [
        ((3, 4, -5), 4, r"claims \(3, 4, -5\) voxels, expected at least 1"),
        ((3, 0, 5), 4, r"claims \(3, 0, 5\) voxels, expected at least 1"),
        ((32767, 32767, 32767), 64, "bytes, expected at most 4294967296"),
        ((2000, 2000, 500), 4, "is cut short, has .* 4000000352"),
        ((3, 4), 4, r"has 2 dimensions \(3, 4\)"),
        ((3, 4, 5, 2), 4, r"has 4 dimensions \(3, 4, 5, 2\)"),
        ((3, 4, 5), 128, "expected one real number per voxel"),
        ((3, 4, 5), 32, "has complex64, expected one real number per voxel"),
        ((3, 4, 5), 7777, "has the datatype 7777, expected one of NIfTI"),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_nifti_header_that_cannot_be_true_is_refused(tmp_path, suffix, shape, datatype, message):
    path = tmp_path / f"scan{suffix}"
    content = nifti(shape, datatype)
    path.write_bytes(gzip.compress(content) if suffix == ".nii.gz" else content)
    with pytest.raises(InputError, match=f"{path.name}: .*{message}") as caught:
        read_volume(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("offset", [np.nan, np.inf, -1, 0, 1e30])
def test_a_nifti_whose_voxels_begin_nowhere_is_refused(tmp_path, offset):
    content = nifti()
    content[108:112] = np.float32(offset).tobytes()
    path = tmp_path / "scan.nii"
    path.write_bytes(content)
    with pytest.raises(InputError, match="has its voxels at byte .*, expected 348 to"):
        read_volume(path)


def test_one_file_of_a_nifti_pair_is_refused(tmp_path):
    content = nifti()
    content[344:348] = b"ni1\0"
    path = tmp_path / "scan.nii"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no NIfTI-1 in one file"):
        read_volume(path)


def bomb(path: Path, start: bytes, mebibytes: int) -> Path:
    """A gzip file that inflates to `start` and then zeros; each member has 16 MiB of them."""
    member = gzip.compress(bytes(1 << 24), 9)
    with path.open("wb") as file:
        file.write(gzip.compress(start))
        for _ in range(mebibytes // 16):
            file.write(member)
    return path


def test_a_small_file_that_inflates_to_12_gib_is_refused_at_once(tmp_path):
    path = bomb(tmp_path / "honest.nii.gz", bytes(nifti((2048, 2048, 1536))), 12 << 10)
    found = run_limited(partial(read_volume, path), memory=1 << 27, seconds=5)
    assert "claims (2048, 2048, 1536) voxels of int16, 12884901888 bytes, expected at" in found
    path = bomb(tmp_path / "hidden.nii.gz", bytes(nifti()), 12 << 10)
    found = run_limited(partial(read_volume, path), memory=1 << 27, seconds=5)
    assert "inflates to 1048576 bytes more than its header claims" in found


def test_a_claim_that_the_compressed_size_excludes_is_refused_at_once(tmp_path):
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(nifti((1024, 1024, 1024), 16)))
    found = run_limited(partial(read_volume, path), memory=1 << 27, seconds=5)
    assert "compressed bytes, too few for the 4294967648 it claims" in found


def test_a_scan_that_does_not_fit_in_memory_is_refused_in_one_line(tmp_path):
    path = bomb(tmp_path / "scan.nii.gz", bytes(nifti((1024, 1024, 512)))[:352], 1 << 10)
    found = run_limited(partial(read_volume, path), memory=1 << 28)
    assert found == f"{path}: does not fit in memory, expected a smaller volume"


def make_special(path: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "device":
        path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".nrrd", ".dcm", ""])
def test_a_special_file_is_refused_at_once(tmp_path, monkeypatch, suffix, kind):
    monkeypatch.chdir(tmp_path)
    path = Path(f"scan{suffix}")  # a short name, as sockets need
    make_special(path, kind)
    found = run_limited(partial(read_volume, path), seconds=5)
    assert found == f"{path}: is a pipe, a socket or a device, expected a file"


def test_a_data_file_that_is_a_pipe_is_refused_at_once(tmp_path):
    path = tmp_path / "scan.mhd"
    header = "NDims = 3\nDimSize = 3 4 5\nElementType = MET_SHORT\nElementDataFile = scan.raw\n"
    path.write_text(header)
    os.mkfifo(tmp_path / "scan.raw")
    found = run_limited(partial(read_volume, path), seconds=5)
    assert "scan.raw: is a pipe, a socket or a device, expected a file" in found
