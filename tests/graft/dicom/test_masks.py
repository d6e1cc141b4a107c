from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom import dcmread

from graft.common.files import InputError
from graft.data.volume import Volume
from graft.ingest import volumes

SAMPLES = Path(pydicom.data.__file__).parent / "test_files"


def write_seg(folder: Path, path: Path, marked: np.ndarray, kind: str = "BINARY") -> None:
    """Write a DICOM SEG of masks (K, rows, columns, segments) over the series in `folder`."""
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import Segmentation, SegmentDescription
    from highdicom.uid import UID
    from pydicom.sr.codedict import codes

    sources = sorted(
        (dcmread(file) for file in folder.iterdir()), key=lambda one: one.ImagePositionPatient[2]
    )
    for one in sources:
        for name in (
            "StudyID",
            "StudyDate",
            "StudyTime",
            "AccessionNumber",
            "PatientBirthDate",
            "PatientSex",
        ):
            setattr(one, name, "")
        one.ReferringPhysicianName = "Deafening^Doctor"
    made_by = AlgorithmIdentificationSequence("drawn", codes.DCM.ArtificialIntelligence, "1")
    segments = [
        SegmentDescription(
            number + 1, "Gertrude", codes.SCT.Tissue, codes.SCT.Mass, "AUTOMATIC", made_by
        )
        for number in range(marked.shape[-1])
    ]
    Segmentation(
        sources, marked, kind, segments, UID(), 9, UID(), 1, "maker", "model", "1", "serial"
    ).save_as(path)


@pytest.fixture
def series(tmp_path, write_series) -> Path:
    write_series(tmp_path / "ct")
    return tmp_path / "ct"


def marked(segments: int = 1) -> np.ndarray:
    """One box of 2 x 3 x 2 voxels (slices, rows, columns) per segment, each two columns on."""
    mask = np.zeros((6, 12, 10, segments), np.uint8)
    for number in range(segments):
        mask[3:5, 2:5, 2 + 2 * number : 4 + 2 * number, number] = 1
    return mask


def test_a_segment_lies_on_the_grid_of_its_image(tmp_path, series):
    write_seg(series, tmp_path / "seg.dcm", marked())
    image = volumes.read_volume(series)
    mask = volumes.read_mask(tmp_path / "seg.dcm", image)
    assert np.array_equal(mask.voxels, marked()[..., 0].T)
    centre, diameter = volumes.locate_lesion(mask, image)
    assert np.allclose(centre, image.to_mm(np.array([2.5, 3, 3.5])))
    assert np.isclose(np.pi / 6 * diameter**3, 12 * 0.7 * 0.8 * 2.5)


def test_of_several_segments_one_must_be_named(tmp_path, series):
    write_seg(series, tmp_path / "seg.dcm", marked(2))
    image = volumes.read_volume(series)
    assert np.array_equal(
        volumes.read_mask(tmp_path / "seg.dcm", image, 2).voxels, marked(2)[..., 1].T
    )
    for segment, message in (
        (None, "contains the segments 1, 2, expected the column segment"),
        (3, "1, 2 and not 3"),
    ):
        with pytest.raises(InputError, match=f"seg.dcm: .*{message}"):
            volumes.read_mask(tmp_path / "seg.dcm", image, segment)


def test_a_segment_in_one_slice_and_an_image_stored_upside_down(tmp_path, series):
    mask = marked()
    mask[4] = 0
    write_seg(series, tmp_path / "seg.dcm", mask)
    image = volumes.read_volume(series)
    flipped = image.affine @ [[0, -1, 0, 9], [1, 0, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]]
    stored = Volume(
        Path("same.nii"), np.asarray(image.voxels)[::-1, :, ::-1].transpose(1, 0, 2), flipped
    )
    found = volumes.read_mask(tmp_path / "seg.dcm", stored)
    assert np.array_equal(found.voxels, mask[..., 0].T[::-1, :, ::-1].transpose(1, 0, 2))
    assert np.allclose(volumes.locate_lesion(found, stored)[0], image.to_mm(np.array([2.5, 3, 3])))


@pytest.mark.parametrize(
    "change",
    (
        np.diag([1, 1, 1.0, 1]) + 0.3 * np.eye(4, k=3),
        np.diag([0.5, 1, 1, 1]),
        np.diag([1, 1, 1.5, 1]),
    ),
    ids=("shifted", "finer", "thicker"),
)
def test_another_grid_is_refused(tmp_path, series, change):
    write_seg(series, tmp_path / "seg.dcm", marked())
    image = volumes.read_volume(series)
    other = Volume(Path("other.nii"), image.voxels, image.affine @ change)
    with pytest.raises(
        InputError, match="seg.dcm: (lies on another grid than|marks voxels outside) other.nii"
    ):
        volumes.read_mask(tmp_path / "seg.dcm", other)
    smaller = Volume(Path("other.nii"), np.asarray(image.voxels)[:3], image.affine)
    with pytest.raises(InputError, match="marks voxels outside other.nii"):
        volumes.read_mask(tmp_path / "seg.dcm", smaller)


def test_shares_of_voxels_contours_and_images_are_no_masks(tmp_path, series):
    write_seg(series, tmp_path / "seg.dcm", marked() / 2, "FRACTIONAL")
    image = volumes.read_volume(series)
    for path, message in (
        (
            tmp_path / "seg.dcm",
            "contains shares of voxels or labels, expected the SegmentationType BINARY",
        ),
        (
            SAMPLES / "rtstruct.dcm",
            "is an RTSTRUCT, .* export the mask as DICOM SEG, NIfTI or NRRD",
        ),
        (series / "slice-01.dcm", "is no mask"),
        (series, "contains 6 files, expected one DICOM SEG"),
        (SAMPLES / "liver_1frame.dcm", "has no NumberOfFrames"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            volumes.read_mask(path, image)
        assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")


def test_a_damaged_segmentation_is_refused_or_read_and_says_no_name(tmp_path, series, capfd):
    write_seg(series, tmp_path / "seg.dcm", marked())
    image, whole, rng = (
        volumes.read_volume(series),
        (tmp_path / "seg.dcm").read_bytes(),
        np.random.default_rng(0),
    )
    refused = 0
    for _ in range(100):
        content = bytearray(whole)
        content[rng.integers(len(content))] = rng.integers(256)
        (tmp_path / "seg.dcm").write_bytes(
            content[: rng.integers(len(content))] if rng.random() < 0.3 else content
        )
        try:
            mask = volumes.read_mask(tmp_path / "seg.dcm", image)
            assert mask.voxels.shape == image.voxels.shape and mask.voxels.max() <= 1
        except InputError as error:
            refused += 1
            assert (
                "\n" not in str(error) and "Gertrude" not in str(error) and "Loud" not in str(error)
            )
    assert 20 < refused < 90 and capfd.readouterr() == ("", "")
