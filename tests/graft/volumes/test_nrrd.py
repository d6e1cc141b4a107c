import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest

from graft.common.files import InputError
from graft.volumes.volume_files import read_volume
from tests.itk import SECRET, read_with_itk, shows_secret

START = "NRRD0004\ndimension: 3\nsizes: 3 4 5\n"
SHORT = START + "type: short\nendian: little\n"
RAW = SHORT + "encoding: raw\n"
DIRECTIONS = "space directions: (0,0.5,0) (-0.75,0,0) (0,0,2)\nspace origin: (10,-20.5,30)\n"
VOXELS = np.arange(60, dtype="<i2").tobytes()


def write(path: Path, header: str, data: bytes = b"\n" + VOXELS) -> Path:
    path.write_bytes(header.encode() + data)
    return path


GEOMETRIES = [
    "",
    "spacings: 2 3 4\n",
    "space: LPS\n",
    "space: left-posterior-superior\n" + DIRECTIONS,
    "space: RAS\n" + DIRECTIONS,
    "space: Left-Anterior-Superior\n" + DIRECTIONS,
    "space: scanner-xyz\n" + DIRECTIONS,
    "space dimension: 3\n" + DIRECTIONS,
    "space: LPS\nspace directions: (2, 1, 0) (0,3,0) (0,0,4)\n",
    "# data file: gone.raw\ndata file:=gone.raw\nSPACINGS: 2 3 4\nold min: 3\n",
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_positions_are_those_of_itk(tmp_path, geometry):
    path = write(tmp_path / "scan.nrrd", RAW + geometry)
    expected = read_with_itk(path)
    volume = read_volume(path)
    assert np.array_equal(volume.voxels, expected.voxels)
    assert np.allclose(volume.affine, expected.affine, atol=1e-12)


TYPES = ["signed char", "uchar", "short", "unsigned short", "int", "uint32", "int64_t"]
TYPES += ["unsigned long long", "float", "double"]


@pytest.mark.parametrize(("name", "order"), [*itertools.product(TYPES, ["little", "big"])])
def test_voxels_are_those_of_itk(tmp_path, name, order):
    data = b"\n" + np.random.default_rng(0).integers(0, 60, 480, np.uint8).tobytes()
    header = START + f"type: {name}\nendian: {order}\nencoding: raw\n"
    path = write(tmp_path / "scan.nrrd", header, data)
    expected = read_with_itk(path).voxels
    voxels = read_volume(path).voxels
    assert voxels.dtype.newbyteorder("=") == expected.dtype
    assert np.array_equal(voxels, expected, equal_nan=True)


@pytest.mark.parametrize("skipped", [0, 4, -1])
def test_a_data_file_may_begin_with_something_else(tmp_path, skipped):
    before = b"skip" if skipped else b""
    (tmp_path / "scan.raw").write_bytes(before + VOXELS)
    header = RAW + f"byte skip: {skipped}\ndata file: scan.raw\n"
    path = write(tmp_path / "scan.nhdr", header, b"")
    assert np.array_equal(read_volume(path).voxels, read_with_itk(path).voxels)


# What may stand before, inside and after the field, for the value {0}.
TRICKS = [
    "data file: {0}\n",
    "datafile: {0}\n",
    "Data File: {0}\n",
    "DATAFILE:{0}\n",
    "data  file: {0}\n",
    "data\tfile: {0}\n",
    " data file: {0}\n",
    "data file:  {0}  \r\n",
    "# comment\ndata file: {0}\n",
    "data file: LIST\n{0}\n",
    "data file: LIST 2\n{0}\n{0}\n{0}\n{0}\n{0}\n",
    "data file: {0} 1 5 1\n",
    "data file: {0} 1 5 1 2\n",
    "data file: scan.raw\ndata file: {0}\n",
    "data file: file://{0}\n",
    "key:=x\rdata file: {0}\n",
    "content: x\ndata file: {0}\n\n",
    "data file: {0}\x00.raw\n",
    "d\u0430ta file: scan.raw\ndata file: {0}\n",
    "byte skip: -1\ndata file: {0}\n",
]
PLACES = ["{}/secret.raw", "../secret.raw", "./../secret.raw", "link.raw", "linked/secret.raw"]


@pytest.mark.parametrize("suffix", [".nhdr", ".nrrd"])
def test_no_header_reads_a_file_outside_the_folder(tmp_path, suffix):
    folder = tmp_path / "in"
    folder.mkdir()
    secret = tmp_path / "secret.raw"
    secret.write_bytes(bytes([SECRET]) * 120)
    (folder / "scan.raw").write_bytes(VOXELS)
    (folder / "link.raw").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path)
    path = folder / f"scan{suffix}"
    read_by_itk = 0
    for trick, place in itertools.product(TRICKS, PLACES):
        header = RAW + trick.replace("{0}", place.format(tmp_path))
        path.write_bytes(header.encode())
        read_by_itk += shows_secret(read_with_itk(path))
        try:
            volume = read_volume(path)
        except InputError as error:
            assert "\n" not in str(error)
            continue
        assert not shows_secret(volume), trick
    assert read_by_itk > 20  # the secret can be read


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (RAW.replace("3 4 5", "3 4 -5"), r"claims \(3, 4, -5\) voxels"),
        (RAW.replace("3 4 5", "3 4"), "sizes '3 4', expected 3 finite numbers"),
        (RAW.replace("3 4 5", "9e5 9e5 9e5"), "bytes, expected at most 4294967296"),
        (RAW.replace("3 4 5", "3 4 6"), "is cut short, has 120 bytes of voxels, expected 144"),
        (RAW.replace("sizes: 3 4 5", "sizes: 3 4 5 1").replace("n: 3", "n: 4"), "has 4 dimensions"),
        (RAW.replace("raw", "bzip2"), "has the encoding 'bzip2', expected one of raw, gzip"),
        (RAW.replace("raw", "ascii"), "has the encoding 'ascii'"),
        (RAW.replace("short", "block"), "has the type 'block'"),
        (RAW.replace("endian: little\n", ""), "has the endian 'none'"),
        (RAW + "axis mins: 1 2 3\n", "expected a space origin"),
        (RAW + "line skip: 2\n", "skips 2 lines"),
        (RAW + "byte skip: 500\n", "expected its voxels from byte"),
        (RAW + "space directions: none (0,1,0) (0,0,1)\n", "has 2 space directions"),
        (RAW + "space directions: (1,0) (0,1) (0,0)\n", "space directions '1 0', expected 3"),
        (RAW + "space directions: (nan,0,0) (0,1,0) (0,0,1)\n", "expected 3 finite numbers"),
        (RAW + "spacings: 1 1 0\n", "its affine is singular"),
        (RAW + "sizes: 3 4 5\n", "expected each field once"),
        (RAW + "no colon\n", "has 'no colon' in its header"),
        (SHORT + "encoding: gzip\n", "cut short or damaged .Error -"),
        ("", "does not begin as NRRD does"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(tmp_path, header, message):
    path = write(tmp_path / "scan.nrrd", header)
    with pytest.raises(InputError, match=f"scan.nrrd: .*{message}") as caught:
        read_volume(path)
    assert "\n" not in str(caught.value)


def test_compressed_voxels_are_read_or_refused(tmp_path):
    header = SHORT + "encoding: gzip\n"
    path = write(tmp_path / "scan.nrrd", header, b"\n" + gzip.compress(VOXELS))
    assert np.array_equal(read_volume(path).voxels, read_with_itk(path).voxels)
    write(path, header, b"\n" + gzip.compress(VOXELS + bytes(3 << 20)))
    with pytest.raises(InputError, match="inflates to 1048576 bytes more than its header claims"):
        read_volume(path)
