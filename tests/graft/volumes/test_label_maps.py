import numpy as np
import pytest

from graft.common.files import InputError
from graft.grids.volume import Volume
from graft.volumes.label_maps import select_label
from graft.volumes.volume_files import locate_lesion

KIDNEY, TUMOUR = 1, 2


@pytest.fixture
def kits() -> np.ndarray:
    """A kidney of 93 mm with a tumour of 23 mm in voxels of 1 mm, as in the KiTS data."""
    axes = np.indices((100, 100, 100)) - 50
    voxels = np.zeros((100, 100, 100), np.uint8)
    voxels[(axes**2).sum(0) < 46.4**2] = KIDNEY
    axes[0] -= 20
    voxels[(axes**2).sum(0) < 11.45**2] = TUMOUR
    return voxels


def test_only_the_named_structure_is_measured(kits):
    scan = Volume("scan", kits, np.eye(4))
    tumour = Volume("mask", select_label(kits, "2"), np.eye(4))
    centre, diameter = locate_lesion(tumour, scan)
    assert np.allclose(centre, (70, 50, 50))
    assert abs(diameter - 22.9) < 0.1
    kidney = Volume("mask", select_label(kits, "1"), np.eye(4))
    assert abs(locate_lesion(kidney, scan)[1] - 92.8) < 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("value", [1, 2, 100])
def test_one_structure_needs_no_name(dtype, value):
    voxels = np.zeros((3, 3, 3), dtype)
    voxels[1, 1, 1] = value
    for segment in ("", str(value)):
        selected = select_label(voxels, segment)
        assert selected.dtype == np.uint8
        assert selected[1, 1, 1] == 1
        assert selected.sum() == 1


def test_a_mask_of_one_number_that_is_a_fraction_is_one_structure():
    assert select_label(np.array([[[0, 0.5]]]), "").tolist() == [[[0, 1]]]


def test_an_empty_map_stays_empty():
    assert not select_label(np.zeros((2, 2, 2), bool), "").any()


REFUSED = [
    ([1, 2], "", "has the labels 1, 2, expected the column segment to name one of them"),
    ([1, 2], "3", "has the labels 1, 2 and not 3, expected"),
    ([1, 2], "tumour", "has the labels 1, 2 and not tumour, expected"),
    ([1, 2], "01", "has the labels 1, 2 and not 01, expected"),
    ([1], "2", "has the labels 1 and not 2, expected"),
    ([-1], "", "has the labels -1, expected"),
    ([-1024, 1], "", "has the labels -1024, 1, expected"),
    (list(range(1, 21)), "", "has the labels 1, 2, 3, 4, 5, 6, 7, 8, ..., expected"),
    ([1, 2], "9" * 5000, "has the labels 1, 2 and not 999"),
    ([0.25, 0.5, 1], "", "has values such as 0.25, .* apply a threshold first"),
    ([0.25, 0.5, 1], "1", "has values such as 0.25, .* apply a threshold first"),
    ([1, np.nan], "", "has NaN or infinity, expected a mask"),
    ([1, np.inf], "1", "has NaN or infinity, expected a mask"),
]


@pytest.mark.parametrize(("values", "segment", "message"), REFUSED)
def test_a_map_without_one_clear_structure_is_refused(values, segment, message):
    voxels = np.array([[[0, *values]]])
    with pytest.raises(InputError, match=message):
        select_label(voxels, segment)
