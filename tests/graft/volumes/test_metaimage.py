import itertools
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from graft.common.files import InputError
from graft.volumes.volume_files import read_volume
from tests.itk import SECRET, read_with_itk, shows_secret

START = "ObjectType = Image\nNDims = 3\nDimSize = 3 4 5\n"
SHORT = START + "ElementType = MET_SHORT\n"
LOCAL = "ElementDataFile = LOCAL\n"
VOXELS = np.arange(60, dtype="<i2").tobytes()


def write(path: Path, header: str, data: bytes = VOXELS) -> Path:
    path.write_bytes(header.encode() + data)
    return path


GEOMETRIES = [
    "",
    "ElementSpacing = 0.5 0.75 2\nOffset = 10 -20.5 30\n",
    "ElementSize = 2 3 4\nPosition = 1 2 3\n",
    "ElementSize = 2 3 4\nElementSpacing = 1 1 5\nOrigin = 1 2 3\n",
    "ElementSpacing = -1 2 2\n",
    "TransformMatrix = 0 1 0 -1 0 0 0 0 1\nElementSpacing = 1 2 3\n",
    "Orientation = 1 0.2 0 0 1 0 0 0 1\n",
    "Rotation = 0.8 0.6 0 -0.6 0.8 0 0 0 1\nOffset = 1e1 2 3\n",
    "\n  \nOffset:1 2 3\n",
    "elementspacing = 9 9 9\ncomment = a = b: c\n",
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_positions_are_those_of_itk(tmp_path, geometry):
    path = write(tmp_path / "scan.mha", SHORT + geometry + LOCAL)
    expected = read_with_itk(path)
    volume = read_volume(path)
    assert np.array_equal(volume.voxels, expected.voxels)
    assert np.allclose(volume.affine, expected.affine, atol=1e-12)


TYPES = ("CHAR", "UCHAR", "SHORT", "USHORT", "INT", "UINT", "LONG", "ULONG", "LONG_LONG")
TYPES += ("ULONG_LONG", "FLOAT", "DOUBLE")
ORDERS = ("", "BinaryDataByteOrderMSB = True\n", "ElementByteOrderMSB = False\n")


@pytest.mark.parametrize(("name", "order"), [*itertools.product(TYPES, ORDERS)])
def test_voxels_are_those_of_itk(tmp_path, name, order):
    data = np.random.default_rng(0).integers(0, 60, 480, np.uint8).tobytes()
    header = START + f"ElementType = MET_{name}\n" + order
    path = write(tmp_path / "scan.mha", header + LOCAL, data)
    expected = read_with_itk(path).voxels
    voxels = read_volume(path).voxels
    assert voxels.dtype.newbyteorder("=") == expected.dtype
    assert np.array_equal(voxels, expected, equal_nan=True)


@pytest.mark.parametrize("name", ["scan.mha", "scan.mhd"])
def test_compressed_voxels_are_those_of_itk(tmp_path, name):
    voxels = np.random.default_rng(0).integers(-1000, 400, (5, 4, 3)).astype(np.int16)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), tmp_path / name, True)
    volume = read_volume(tmp_path / name)
    assert np.array_equal(volume.voxels, voxels.T)
    assert np.array_equal(volume.affine, read_with_itk(tmp_path / name).affine)


@pytest.mark.parametrize("skipped", [0, 4, -1])
def test_a_data_file_may_begin_with_something_else(tmp_path, skipped):
    before = b"skip" if skipped else b""
    (tmp_path / "scan.raw").write_bytes(before + VOXELS)
    header = SHORT + f"HeaderSize = {skipped}\nElementDataFile = scan.raw\n"
    path = write(tmp_path / "scan.mhd", header, b"")
    assert np.array_equal(read_volume(path).voxels, read_with_itk(path).voxels)


# What may stand before, inside and after the last key, for the value {0}.
TRICKS = [
    "ElementDataFile = {0}\n",
    "\nElementDataFile = {0}\n",
    "\n\n  \n\tElementDataFile = {0}\n",
    " ElementDataFile = {0}\n",
    "\tElementDataFile={0}\n",
    "ElementDataFile : {0}\n",
    "ElementDataFile\t=\t{0}   \n",
    "data file = scan.raw\nElementDataFile = {0}\n",
    "data file: scan.raw\n\nElementDataFile = {0}\n",
    "ElementDataFile = {0}\r\n",
    "Comment = x\rElementDataFile = {0}\n",
    "Comment = x\rElementDataFile = {0}\rElementDataFile = LOCAL\n",
    "Comment =\nElementDataFile = {0}\n",
    "Comment\nElementDataFile = {0}\n",
    "Comment = " + "x" * 70000 + "\nElementDataFile = {0}\n",
    "ElementDataFile = {0}\nElementDataFile = LOCAL\n",
    "ElementDataFile = LIST\n{0}\n{0}\n{0}\n{0}\n{0}\n",
    "ElementDataFile = LIST 3\n{0}\n",
    "ElementDataFile = {0} 1 5 1\n",
    "elementdatafile = scan.raw\nElementDataFile = {0}\n",
    "ElementDataFi\u0131e = scan.raw\nElementDataFile = {0}\n",
    "\u00a0ElementDataFile = {0}\n",
    "Name = ElementDataFile = LOCAL\nElementDataFile = {0}\n",
    "\x00ElementDataFile = {0}\n",
    "ElementDataFile = {0}\x00.raw\n",
    "CompressedData = False\x0bElementDataFile = {0}\n",
]
PLACES = ["{}/secret.raw", "../secret.raw", "./../secret.raw", "link.raw", "linked/secret.raw"]


def test_no_header_reads_a_file_outside_the_folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    secret = tmp_path / "secret.raw"
    secret.write_bytes(bytes([SECRET]) * 600)
    (folder / "scan.raw").write_bytes(VOXELS)
    (folder / "link.raw").symlink_to(secret)
    (folder / "linked").symlink_to(tmp_path)
    path = folder / "scan.mhd"
    read_by_itk = 0
    for trick, place in itertools.product(TRICKS, PLACES):
        header = SHORT + trick.replace("{0}", place.format(tmp_path))
        path.write_bytes(header.encode() + bytes(200))
        read_by_itk += shows_secret(read_with_itk(path))
        try:
            volume = read_volume(path)
        except InputError as error:
            assert "\n" not in str(error)
            continue
        assert not shows_secret(volume), trick
    assert read_by_itk > 40  # the secret can be read


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (SHORT.replace("3 4 5", "3 4 -5") + LOCAL, r"claims \(3, 4, -5\) voxels"),
        (SHORT.replace("3 4 5", "3 4 0") + LOCAL, r"claims \(3, 4, 0\) voxels"),
        (SHORT.replace("3 4 5", "3 4 5.5") + LOCAL, "DimSize '3 4 5.5', expected whole"),
        (SHORT.replace("3 4 5", "3 4 1e300") + LOCAL, "DimSize '3 4 1e300'"),
        (SHORT.replace("3 4 5", "3 4") + LOCAL, "DimSize '3 4', expected 3 finite numbers"),
        (SHORT.replace("NDims = 3\n", "") + LOCAL, "has no NDims, expected a finite number"),
        (SHORT.replace("3 4 5", "40000 40000 40000") + LOCAL, "128000000000000 bytes, expected at"),
        (
            SHORT.replace("3 4 5", "900 900 900") + LOCAL,
            "cut short, has 120 .* expected 1458000000",
        ),
        (SHORT.replace("3 4 5", "3 4 6") + LOCAL, "cut short, has 120 bytes .* expected 144"),
        (SHORT + "CompressedData = True\n" + LOCAL, "cut short or damaged .Error -"),
        (SHORT + "BinaryData = False\n" + LOCAL, "has BinaryData = False"),
        (SHORT + "HeaderSize = 4\n" + LOCAL, "has the HeaderSize 4"),
        (
            SHORT + "ElementSpacing = 1 1 nan\n" + LOCAL,
            "ElementSpacing '1 1 nan', expected 3 finite",
        ),
        (SHORT + "ElementSpacing = 1 1 0\n" + LOCAL, "its affine is singular"),
        (SHORT + "ElementSpacing = 1 1 1e5\n" + LOCAL, "its voxels measure"),
        (SHORT + "Offset = 1 2 3\nOffset = 4 5 6\n" + LOCAL, "has 'Offset' twice"),
        (
            START + "ElementType = MET_SHORT_ARRAY\n" + LOCAL,
            "has the ElementType 'MET_SHORT_ARRAY'",
        ),
        (SHORT + "ElementDataFile = gone.raw\n", "its data file is 'gone.raw', expected a file in"),
        (SHORT + "ElementDataFile = .\n", "its data file is '.', expected a file in"),
        (SHORT, "header, expected a key and a value"),
        ("", "header, expected a key and a value"),
    ],
)
def test_a_header_that_cannot_be_true_is_refused(tmp_path, header, message):
    path = write(tmp_path / "scan.mha", header)
    with pytest.raises(InputError, match=f"scan.mha: .*{message}") as caught:
        read_volume(path)
    assert "\n" not in str(caught.value)


def test_compressed_voxels_that_are_too_few_or_too_many_are_refused(tmp_path):
    header = SHORT + "CompressedData = True\n" + LOCAL
    path = write(tmp_path / "scan.mha", header, zlib.compress(VOXELS[:-1]))
    with pytest.raises(InputError, match="is cut short, has 119 bytes, expected 120"):
        read_volume(path)
    write(path, header, zlib.compress(VOXELS + bytes(3 << 20)))
    with pytest.raises(InputError, match="inflates to 1048576 bytes more than its header claims"):
        read_volume(path)
    write(path, header, zlib.compress(VOXELS)[:-1])
    with pytest.raises(InputError, match="its compressed data has no end"):
        read_volume(path)
