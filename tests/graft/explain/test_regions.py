import numpy as np
import pandas as pd
import pytest

from graft.data.domain import Domain
from graft.explain import regions
from graft.explain.regions import BALL, MASK, lesion_regions, occupied_shares, region_kind

FIRST = np.array([0])


def domain(
    patch=(8, 8, 8),
    spacing=(1.0, 1.0, 1.0),
    size="diameter in mm",
    diameters=(4.0, 6.0),
    masks=None,
) -> Domain:
    if spacing is not None:
        spacing = list(spacing)
    preprocessing = {"spacing": spacing, "size": size}
    images = np.zeros((len(diameters), 1, *patch))
    index = pd.DataFrame({"size": diameters})
    return Domain("liver", images, index, ["benign", "malignant"], preprocessing, masks=masks)


def test_a_ball_has_the_diameter_and_lies_in_the_middle():
    balls = domain(patch=(4, 4, 4), diameters=(3.5, 1.8))
    small, large = lesion_regions(balls, np.array([1, 0]))
    # Voxels lie at 0.5 and 1.5 mm from the middle along each axis.
    # The inner eight are 0.87 mm away and their 24 neighbours 1.66 mm.
    inner = np.zeros((4, 4, 4), bool)
    inner[1:3, 1:3, 1:3] = True
    assert np.array_equal(small, inner)
    assert large.sum() == 8 + 24
    assert large[0, 1, 1]
    assert not large[0, 0, 1]


@pytest.mark.parametrize("at_once", [1, 64])
def test_a_share_is_counted_in_voxels(at_once, monkeypatch):
    monkeypatch.setattr(regions, "AT_ONCE", at_once)
    balls = domain(patch=(4, 4, 4), diameters=(3.5, 1.8))
    assert occupied_shares(balls, np.array([1, 0])).tolist() == [8 / 64, 32 / 64]
    assert occupied_shares(balls, np.array([], int)).tolist() == []


def test_the_diameter_is_in_millimetres_and_not_in_voxels():
    ball = domain(patch=(9, 9, 9), spacing=(1.0, 1.0, 2.0), diameters=(8.2,))
    (found,) = lesion_regions(ball, FIRST)
    assert found[:, 4, 4].sum() == 9  # 1 mm apart
    assert found[4, 4].sum() == 5  # 2 mm apart


def test_in_two_dimensions_the_region_is_a_disc():
    disc = domain(patch=(9, 9), spacing=(1.0, 1.0), diameters=(2.1,))
    (found,) = lesion_regions(disc, FIRST)
    assert np.argwhere(found).tolist() == [[3, 4], [4, 3], [4, 4], [4, 5], [5, 4]]


def test_masks_take_precedence_and_a_lesion_without_a_mask_has_no_region():
    masks = np.zeros((2, 8, 8, 8), np.uint8)
    masks[1, 2:4] = 1
    with_masks = domain(masks=masks)
    assert region_kind(with_masks) == MASK
    assert region_kind(domain()) == BALL
    order = np.array([1, 0])
    assert np.array_equal(lesion_regions(with_masks, order), masks[order] == 1)


NO_SPACING = {"spacing": None}
SIZE_IN_VOXELS = {"size": "voxels of the patch above the window's floor"}


@pytest.mark.parametrize("change", (NO_SPACING, SIZE_IN_VOXELS))
def test_without_a_size_in_mm_there_is_no_region(change):
    changed = domain(**change)
    assert region_kind(changed) is None
    assert lesion_regions(changed, FIRST) is None
