from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom import dcmread

from graft.common.files import InputError
from graft.grids.volume import Volume
from graft.volumes import volume_files

SAMPLES = Path(pydicom.data.__file__).parent / "test_files"


UNSET_ELEMENTS = (
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "PatientBirthDate",
    "PatientSex",
)


def write_seg(folder: Path, path: Path, masks: np.ndarray, kind: str = "BINARY") -> None:
    """Write a DICOM SEG of masks (K, rows, columns, segments) over the series in `folder`."""
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import Segmentation, SegmentDescription
    from highdicom.uid import UID
    from pydicom.sr.codedict import codes

    slices = [dcmread(file) for file in folder.iterdir()]
    slices.sort(key=lambda dataset: dataset.ImagePositionPatient[2])
    for dataset in slices:
        for name in UNSET_ELEMENTS:
            setattr(dataset, name, "")
        dataset.ReferringPhysicianName = "Deafening^Doctor"
    algorithm = AlgorithmIdentificationSequence("drawn", codes.DCM.ArtificialIntelligence, "1")
    segments = []
    for number in range(1, masks.shape[-1] + 1):
        description = SegmentDescription(
            segment_number=number,
            segment_label=f"Gertrude {number}",
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Mass,
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
        )
        segments.append(description)
    segmentation = Segmentation(
        source_images=slices,
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=segments,
        series_instance_uid=UID(),
        series_number=9,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer="maker",
        manufacturer_model_name="model",
        software_versions="1",
        device_serial_number="serial",
    )
    segmentation.save_as(path)


@pytest.fixture
def series(tmp_path, write_series) -> Path:
    write_series(tmp_path / "ct")
    return tmp_path / "ct"


def draw_boxes(segments: int = 1) -> np.ndarray:
    """Masks (slices, rows, columns, segments) with one box of 2 x 3 x 2 voxels per segment.

    Each box is two columns to the right of the one before it.
    """
    masks = np.zeros((6, 12, 10, segments), np.uint8)
    for number in range(segments):
        column = 2 + 2 * number
        masks[3:5, 2:5, column : column + 2, number] = 1
    return masks


def test_a_segment_is_on_the_grid_of_its_image(tmp_path, series):
    path = tmp_path / "seg.dcm"
    write_seg(series, path, draw_boxes())
    image = volume_files.read_volume(series)
    mask = volume_files.read_mask(path, image)
    assert np.array_equal(mask.voxels, draw_boxes()[..., 0].T)

    centre, diameter = volume_files.locate_lesion(mask, image)
    sphere = np.pi / 6 * diameter**3
    assert np.allclose(centre, image.to_mm(np.array([2.5, 3, 3.5])))
    assert np.isclose(sphere, 12 * 0.7 * 0.8 * 2.5)  # 12 voxels in mm³


def test_the_number_of_a_segment_selects_it(tmp_path, series):
    path = tmp_path / "seg.dcm"
    write_seg(series, path, draw_boxes(2))
    mask = volume_files.read_mask(path, volume_files.read_volume(series), "2")
    assert np.array_equal(mask.voxels, draw_boxes(2)[..., 1].T)


def test_the_label_of_a_segment_selects_it(tmp_path, series):
    path = tmp_path / "seg.dcm"
    write_seg(series, path, draw_boxes(2))
    mask = volume_files.read_mask(path, volume_files.read_volume(series), "Gertrude 2")
    assert np.array_equal(mask.voxels, draw_boxes(2)[..., 1].T)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ("tumour", "1, 2 and not tumour"),
        ("", "contains the segments 1, 2, expected the column segment"),
        ("3", "1, 2 and not 3"),
    ],
)
def test_of_several_segments_one_must_be_named(tmp_path, series, segment, message):
    path = tmp_path / "seg.dcm"
    write_seg(series, path, draw_boxes(2))
    image = volume_files.read_volume(series)
    with pytest.raises(InputError, match=f"seg.dcm: .*{message}"):
        volume_files.read_mask(path, image, segment)


def reorient(voxels: np.ndarray) -> np.ndarray:
    """Reverse the first and the last axis, then exchange the first two."""
    return voxels[::-1, :, ::-1].transpose(1, 0, 2)


def test_a_segment_in_one_slice_fits_an_image_with_other_axes(tmp_path, series):
    masks = draw_boxes()
    masks[4] = 0
    write_seg(series, tmp_path / "seg.dcm", masks)
    image = volume_files.read_volume(series)
    axes = np.array([[0, -1, 0, 9], [1, 0, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]])
    voxels = reorient(np.asarray(image.voxels))
    stored = Volume(Path("same.nii"), voxels, image.affine @ axes)

    found = volume_files.read_mask(tmp_path / "seg.dcm", stored)

    centre, _ = volume_files.locate_lesion(found, stored)
    assert np.array_equal(found.voxels, reorient(masks[..., 0].T))
    assert np.allclose(centre, image.to_mm(np.array([2.5, 3, 3])))


OTHER_GRIDS = {
    "shifted": np.eye(4) + 0.3 * np.eye(4, k=3),
    "finer": np.diag([0.5, 1, 1, 1]),
    "thicker": np.diag([1, 1, 1.5, 1]),
}


@pytest.mark.parametrize("name", OTHER_GRIDS)
def test_a_mask_on_another_grid_is_refused(tmp_path, series, name):
    path = tmp_path / "seg.dcm"
    write_seg(series, path, draw_boxes())
    image = volume_files.read_volume(series)
    other = Volume(Path("other.nii"), image.voxels, image.affine @ OTHER_GRIDS[name])
    message = "seg.dcm: (lies on another grid than|marks voxels outside) other.nii"
    with pytest.raises(InputError, match=message):
        volume_files.read_mask(path, other)


def test_a_mask_larger_than_its_image_is_refused(tmp_path, series):
    path = tmp_path / "seg.dcm"
    write_seg(series, path, draw_boxes())
    image = volume_files.read_volume(series)
    smaller = Volume(Path("other.nii"), np.asarray(image.voxels)[:3], image.affine)
    with pytest.raises(InputError, match="marks voxels outside other.nii"):
        volume_files.read_mask(path, smaller)


def assert_no_mask(path: Path, image: Volume, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        volume_files.read_mask(path, image)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_fractional_segmentation_is_refused(tmp_path, series):
    path = tmp_path / "seg.dcm"
    write_seg(series, path, draw_boxes() / 2, "FRACTIONAL")
    message = "contains shares of voxels or labels, expected the SegmentationType BINARY"
    assert_no_mask(path, volume_files.read_volume(series), message)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ("rtstruct.dcm", "is an RTSTRUCT, .* export the mask as DICOM SEG, NIfTI or NRRD"),
        ("liver_1frame.dcm", "has no NumberOfFrames"),
    ],
)
def test_contours_and_a_segmentation_without_frames_are_refused(series, sample, message):
    assert_no_mask(SAMPLES / sample, volume_files.read_volume(series), message)


def test_images_are_no_masks(series):
    image = volume_files.read_volume(series)
    assert_no_mask(series / "slice-01.dcm", image, "is no mask")
    assert_no_mask(series, image, "contains 6 files, expected one DICOM SEG")


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Change one byte, and cut three files in ten short."""
    damaged = bytearray(content)
    place = rng.integers(len(damaged))
    damaged[place] = rng.integers(256)
    if rng.random() < 0.3:
        length = rng.integers(len(damaged))
        return bytes(damaged[:length])
    return bytes(damaged)


def test_a_damaged_segmentation_is_read_or_refused_without_a_name(tmp_path, series, capfd):
    path = tmp_path / "seg.dcm"
    write_seg(series, path, draw_boxes())
    image = volume_files.read_volume(series)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(100):
        path.write_bytes(damage(content, rng))
        try:
            mask = volume_files.read_mask(path, image)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
            assert "Gertrude" not in str(error)
            assert "Loud" not in str(error)
        else:
            assert mask.voxels.shape == image.voxels.shape
            assert mask.voxels.max() <= 1
    assert refused > 20
    assert refused < 90
    assert capfd.readouterr() == ("", "")
