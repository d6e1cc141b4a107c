import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from graft.common.files import InputError
from graft.data.volume import Volume
from graft.ingest.volumes import locate_lesion, read_volume

IDENTITY = np.eye(4)
SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")


@pytest.fixture
def image() -> SimpleITK.Image:
    """A scan of 12 x 10 x 8 voxels in LPS, turned by 30 degrees about the third axis."""
    voxels = np.random.default_rng(0).integers(-1000, 400, (8, 10, 12)).astype(np.int16)
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((10.0, -20.0, 30.0))
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    image.SetDirection((cos, -sin, 0, sin, cos, 0, 0, 0, 1))
    return image


def write_nifti(path: Path, voxels: np.ndarray, affine: np.ndarray | None = IDENTITY) -> Path:
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_voxels_at_the_same_place(tmp_path, image, suffix):
    SimpleITK.WriteImage(image, tmp_path / f"scan{suffix}")
    volume = read_volume(tmp_path / f"scan{suffix}")
    assert np.array_equal(np.asarray(volume.voxels), SimpleITK.GetArrayFromImage(image).T)
    left, back, up = image.TransformIndexToPhysicalPoint((11, 3, 5))
    assert np.allclose(volume.to_mm(np.array([11, 3, 5])), (-left, -back, up), atol=1e-4)
    assert np.allclose(
        volume.to_index(volume.to_mm(np.array([11.0, 3.5, 5.0]))), (11, 3.5, 5), atol=1e-6
    )


def test_a_scaled_nifti_gives_its_real_values(tmp_path):
    scan = nibabel.Nifti1Image(np.full((4, 5, 6, 1), 7, np.int16), np.eye(4))
    scan.header.set_slope_inter(2, -1024)
    scan.to_filename(tmp_path / "scan.nii.gz")
    assert (np.asarray(read_volume(tmp_path / "scan.nii.gz").voxels[1:3]) == 7 * 2 - 1024).all()


@pytest.mark.parametrize("cut", (1, 8, 100, 0.5))
def test_a_gzip_cut_anywhere_is_refused(tmp_path, image, cut):
    path = tmp_path / "scan.nii.gz"
    SimpleITK.WriteImage(image, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: -cut if isinstance(cut, int) else int(cut * len(whole))])
    with pytest.raises(InputError, match="scan.nii.gz: cannot be read, it may be cut short"):
        read_volume(path)


def test_a_gzip_with_a_wrong_sum_is_refused(tmp_path):
    content = bytearray(write_nifti(tmp_path / "scan.nii.gz", np.ones((5, 5, 5))).read_bytes())
    content[-8] ^= 1  # the CRC is the first four of the last eight bytes
    (tmp_path / "scan.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match="CRC check failed"):
        read_volume(tmp_path / "scan.nii.gz")


@pytest.mark.parametrize("suffix", (".nii", ".mha", ".nrrd", ".nii.gz whole, voxels short"))
def test_a_file_cut_short_is_refused_without_noise(tmp_path, image, suffix, capfd):
    path = tmp_path / f"scan{suffix.split()[0]}"
    SimpleITK.WriteImage(image, path)
    if "whole" in suffix:
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    else:
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="scan.*cut short"):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


def test_a_missing_and_an_unknown_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="a.nii: is missing"):
        read_volume(tmp_path / "a.nii")
    (tmp_path / "a.tif").touch()
    with pytest.raises(
        InputError, match=r"a.tif: is an unknown kind of volume, expected .nii, .nii.gz, .mha"
    ):
        read_volume(tmp_path / "a.tif")


def test_more_than_three_dimensions_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"has 4 dimensions \(4, 4, 4, 2\), expected three"):
        read_volume(write_nifti(tmp_path / "a.nii", np.zeros((4, 4, 4, 2))))
    SimpleITK.WriteImage(
        SimpleITK.Image([4, 4, 4], SimpleITK.sitkVectorUInt8, 3), tmp_path / "a.mha"
    )
    with pytest.raises(InputError, match="has 4 dimensions .* expected three"):
        read_volume(tmp_path / "a.mha")


def test_a_nifti_that_does_not_say_where_it_lies_is_refused(tmp_path):
    with pytest.raises(InputError, match="sform and qform codes are 0"):
        read_volume(write_nifti(tmp_path / "none.nii", np.zeros((4, 4, 4)), affine=None))
    flat = nibabel.Nifti1Image(np.zeros((4, 4, 4)), np.eye(4))
    flat.header["srow_x"] = flat.header["srow_y"] = 0
    content = bytearray(flat.to_bytes())
    content[280:312] = bytes(32)  # srow_x and srow_y
    (tmp_path / "flat.nii").write_bytes(content)
    with pytest.raises(InputError, match="its affine is singular"):
        read_volume(tmp_path / "flat.nii")
    content[252:256] = b"\1\0\0\0"  # qform_code 1, sform_code 0
    content[80:84] = bytes(4)  # pixdim[1]
    (tmp_path / "flat.nii").write_bytes(content)
    with pytest.raises(InputError, match=r"pixdim gives \[0.0, 1.0, 1.0\]"):
        read_volume(tmp_path / "flat.nii")


@pytest.mark.parametrize("elsewhere", ("../secret.raw", "/etc/hostname", "link.raw", "LIST"))
def test_a_header_whose_data_lies_elsewhere_is_refused(tmp_path, image, elsewhere):
    (tmp_path / "in").mkdir()
    SimpleITK.WriteImage(image, tmp_path / "in" / "scan.mhd")
    (tmp_path / "in" / "scan.raw").rename(tmp_path / "secret.raw")
    (tmp_path / "in" / "link.raw").symlink_to(tmp_path / "secret.raw")
    header = tmp_path / "in" / "scan.mhd"
    header.write_text(header.read_text().replace("scan.raw", elsewhere))
    with pytest.raises(InputError, match="expected a file in the same folder"):
        read_volume(header)


def test_a_mask_gives_centroid_and_diameter():
    voxels = np.zeros((10, 10, 10), np.uint8)
    voxels[2:4, 4:7, 5] = 1  # 6 voxels of 2 x 1 x 3 mm; their mean index is (2.5, 5, 5)
    affine = np.array([[-2.0, 0, 0, 9], [0, 1, 0, 0], [0, 0, 3, -1], [0, 0, 0, 1]])
    centre, diameter = locate_lesion(
        Volume(Path("m"), voxels, affine), Volume(Path("i"), voxels, affine)
    )
    assert np.allclose(centre, (-2 * 2.5 + 9, 5, 3 * 5 - 1))
    assert np.isclose(4 / 3 * np.pi * (diameter / 2) ** 3, 36)


def test_an_empty_mask_and_one_on_another_grid_are_refused():
    scan = Volume(Path("scan"), np.zeros((4, 4, 4)), np.eye(4))
    with pytest.raises(InputError, match="mask: is empty"):
        locate_lesion(Volume(Path("mask"), np.zeros((4, 4, 4)), np.eye(4)), scan)
    for voxels, affine in (
        (np.ones((4, 4, 5)), np.eye(4)),
        (np.ones((4, 4, 4)), np.diag([1, 1, 1.01, 1])),
    ):
        with pytest.raises(InputError, match="mask: lies on another grid than scan"):
            locate_lesion(Volume(Path("mask"), voxels, affine), scan)
