import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from graft.common.files import InputError
from graft.grids.volume import Volume
from graft.volumes.volume_files import list_files, locate_lesion, read_volume

IDENTITY = np.eye(4)
SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")


@pytest.fixture
def image() -> SimpleITK.Image:
    """A scan of 12 x 10 x 8 voxels in LPS, rotated by 30 degrees about the third axis."""
    rng = np.random.default_rng(0)
    voxels = rng.integers(-1000, 400, (8, 10, 12))
    image = SimpleITK.GetImageFromArray(voxels.astype(np.int16))
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((10.0, -20.0, 30.0))
    cos = np.cos(np.pi / 6)
    sin = np.sin(np.pi / 6)
    image.SetDirection((cos, -sin, 0, sin, cos, 0, 0, 0, 1))
    return image


def write_nifti(path: Path, voxels: np.ndarray, affine: np.ndarray | None = IDENTITY) -> Path:
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


def cube(value: float, size: int = 4) -> np.ndarray:
    return np.full((size, size, size), float(value))


def make_volume(name: str, voxels: np.ndarray, affine: np.ndarray = IDENTITY) -> Volume:
    return Volume(Path(name), voxels, affine)


@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (0.5, 0), (1, -1024), (2.5, 3), (-2, 1)])
@pytest.mark.parametrize("order", "<>")
def test_a_rescaled_nifti_has_the_values_of_nibabel(tmp_path, slope, intercept, order):
    stored = np.random.default_rng(0).integers(-999, 999, (5, 6, 7)).astype(f"{order}i2")
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(stored.dtype)
    image = nibabel.Nifti1Image(stored, IDENTITY, header)
    image.header.set_slope_inter(slope, intercept)
    path = tmp_path / "scan.nii.gz"
    nibabel.save(image, path)
    voxels = read_volume(path).voxels
    expected = nibabel.load(path).get_fdata()
    assert np.array_equal(np.asarray(voxels), expected)
    assert np.array_equal(voxels[1:3, ::2, 4:], expected[1:3, ::2, 4:])


def test_the_files_of_a_volume_are_those_that_its_bytes_come_from(tmp_path, image):
    for suffix in SUFFIXES:
        SimpleITK.WriteImage(image, tmp_path / f"scan{suffix}")
    apart = {".mhd": ["scan.mhd", "scan.raw"], ".nhdr": ["scan.nhdr", "scan.raw"]}
    for suffix in SUFFIXES:
        names = [path.name for path in list_files(tmp_path / f"scan{suffix}")]
        assert names == apart.get(suffix, [f"scan{suffix}"])
    (tmp_path / "scan.raw").unlink()
    with pytest.raises(InputError, match="scan.mhd: its data file is 'scan.raw', expected a file"):
        list_files(tmp_path / "scan.mhd")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_voxels(tmp_path, image, suffix):
    path = tmp_path / f"scan{suffix}"
    SimpleITK.WriteImage(image, path)
    voxels = np.asarray(read_volume(path).voxels)
    assert np.array_equal(voxels, SimpleITK.GetArrayFromImage(image).T)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_positions(tmp_path, image, suffix):
    path = tmp_path / f"scan{suffix}"
    SimpleITK.WriteImage(image, path)
    volume = read_volume(path)

    left, back, up = image.TransformIndexToPhysicalPoint((11, 3, 5))
    position = volume.to_mm(np.array([11, 3, 5]))
    assert np.allclose(position, (-left, -back, up), atol=1e-4)

    index = np.array([11.0, 3.5, 5.0])
    index_after_round_trip = volume.to_index(volume.to_mm(index))
    assert np.allclose(index_after_round_trip, index, atol=1e-6)


def test_the_scaling_of_a_nifti_is_applied(tmp_path):
    path = tmp_path / "scan.nii.gz"
    shape = (4, 5, 6, 1)
    stored = np.full(shape, 7, np.int16)
    scan = nibabel.Nifti1Image(stored, IDENTITY)
    scan.header.set_slope_inter(2, -1024)
    scan.to_filename(path)
    voxels = read_volume(path).voxels
    two_planes = np.asarray(voxels[1:3])
    assert (two_planes == 7 * 2 - 1024).all()


@pytest.mark.parametrize("missing", [1, 8, 100, "half"])
def test_a_gzip_file_cut_short_anywhere_is_refused(tmp_path, image, missing):
    path = tmp_path / "scan.nii.gz"
    SimpleITK.WriteImage(image, path)
    content = path.read_bytes()
    missing_bytes = len(content) - len(content) // 2 if missing == "half" else missing
    path.write_bytes(content[:-missing_bytes])
    with pytest.raises(InputError, match="scan.nii.gz: cannot be read, it may be cut short"):
        read_volume(path)


def test_a_gzip_file_with_a_wrong_checksum_is_refused(tmp_path):
    path = write_nifti(tmp_path / "scan.nii.gz", cube(1, size=5))
    content = bytearray(path.read_bytes())
    content[-8] ^= 1  # the CRC is the first four of the last eight bytes
    path.write_bytes(content)
    with pytest.raises(InputError, match="cut short or damaged .Error"):
        read_volume(path)


def assert_refused_without_output(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="scan.*cut short"):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".nii", ".mha", ".nrrd"])
def test_a_file_cut_short_is_refused_without_output(tmp_path, image, suffix, capfd):
    path = tmp_path / f"scan{suffix}"
    SimpleITK.WriteImage(image, path)
    path.write_bytes(path.read_bytes()[:-1])
    assert_refused_without_output(path, capfd)


def test_a_whole_gzip_file_with_too_few_voxels_is_refused_without_output(tmp_path, image, capfd):
    path = tmp_path / "scan.nii.gz"
    SimpleITK.WriteImage(image, path)
    nifti = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(nifti[:-1]))
    assert_refused_without_output(path, capfd)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="a.nii: is missing"):
        read_volume(tmp_path / "a.nii")


def test_a_file_of_an_unknown_kind_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    path.touch()
    message = r"a.tif: is an unknown kind of volume, expected .nii, .nii.gz, .mha"
    with pytest.raises(InputError, match=message):
        read_volume(path)


def test_a_nifti_with_four_dimensions_is_refused(tmp_path):
    voxels = np.zeros((4, 4, 4, 2))
    path = write_nifti(tmp_path / "a.nii", voxels)
    with pytest.raises(InputError, match=r"has 4 dimensions \(4, 4, 4, 2\), expected three"):
        read_volume(path)


def test_a_volume_of_vectors_is_refused(tmp_path):
    vectors = SimpleITK.Image([4, 4, 4], SimpleITK.sitkVectorUInt8, 3)
    SimpleITK.WriteImage(vectors, tmp_path / "a.mha")
    with pytest.raises(InputError, match="has 4 dimensions .* expected three"):
        read_volume(tmp_path / "a.mha")


def test_a_nifti_without_an_affine_is_refused(tmp_path):
    path = write_nifti(tmp_path / "none.nii", cube(0), affine=None)
    with pytest.raises(InputError, match="sform and qform codes are 0"):
        read_volume(path)


def test_a_nifti_with_a_singular_affine_is_refused(tmp_path):
    path = write_nifti(tmp_path / "flat.nii", cube(0))
    content = bytearray(path.read_bytes())
    content[280:312] = bytes(32)  # srow_x and srow_y
    path.write_bytes(content)
    with pytest.raises(InputError, match="its affine is singular"):
        read_volume(path)

    content[252:256] = b"\1\0\0\0"  # qform_code 1, sform_code 0
    content[80:84] = bytes(4)  # pixdim[1]
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"pixdim gives \[0.0, 1.0, 1.0\]"):
        read_volume(path)


def test_a_volume_whose_directions_are_almost_parallel_is_refused(tmp_path):
    affine = np.eye(4)
    affine[1, 2] = 20
    path = write_nifti(tmp_path / "skewed.nii", cube(0), affine)
    with pytest.raises(InputError, match="its affine is singular"):
        read_volume(path)


@pytest.mark.parametrize("side", [1e-4, 1e4])
def test_a_volume_with_voxels_of_impossible_size_is_refused(tmp_path, side):
    path = write_nifti(tmp_path / "odd.nii", cube(0), np.diag([1, side, 1, 1]))
    with pytest.raises(InputError, match="its voxels measure .*, expected 0.001 to 1000"):
        read_volume(path)


@pytest.mark.parametrize("elsewhere", ["../secret.raw", "/etc/hostname", "link.raw", "LIST"])
def test_a_header_that_names_data_outside_its_folder_is_refused(tmp_path, image, elsewhere):
    folder = tmp_path / "in"
    folder.mkdir()
    header = folder / "scan.mhd"
    SimpleITK.WriteImage(image, header)
    secret = (folder / "scan.raw").rename(tmp_path / "secret.raw")
    (folder / "link.raw").symlink_to(secret)
    text = header.read_text()
    header.write_text(text.replace("scan.raw", elsewhere))
    with pytest.raises(InputError, match="expected a file in the same folder"):
        read_volume(header)


def test_a_mask_gives_the_centroid_and_the_diameter_of_its_lesion():
    voxels = np.zeros((10, 10, 10), np.uint8)
    voxels[2:4, 4:7, 5] = 1  # 6 voxels of 2 x 1 x 3 mm; their mean index is (2.5, 5, 5)
    affine = np.diag([-2.0, 1, 3, 1])
    affine[:3, 3] = (9, 0, -1)
    mask = make_volume("mask", voxels, affine)
    scan = make_volume("scan", voxels, affine)

    centre, diameter = locate_lesion(mask, scan)

    sphere = 4 / 3 * np.pi * (diameter / 2) ** 3
    expected = (-2 * 2.5 + 9, 5, 3 * 5 - 1)
    assert np.allclose(centre, expected)
    assert np.isclose(sphere, 36)  # mm³, 6 voxels of 6 mm³


def test_an_empty_mask_is_refused():
    scan = make_volume("scan", cube(0))
    empty = make_volume("mask", cube(0))
    with pytest.raises(InputError, match="mask: is empty"):
        locate_lesion(empty, scan)


@pytest.mark.parametrize(
    "mask",
    [
        make_volume("mask", np.ones((4, 4, 5))),
        make_volume("mask", cube(1), np.diag([1, 1, 1.01, 1])),
    ],
    ids=["shape", "spacing"],
)
def test_a_mask_on_another_grid_is_refused(mask):
    scan = make_volume("scan", cube(0))
    with pytest.raises(InputError, match="mask: lies on another grid than scan"):
        locate_lesion(mask, scan)
