import numpy as np
import pandas as pd
import pytest

from graft.data.domain import Domain
from graft.explain.regions import BALL, MASK, lesion_regions, region_kind


def domain(
    patch=(8, 8, 8),
    spacing=(1.0, 1.0, 1.0),
    size="diameter in mm",
    diameters=(4.0, 6.0),
    masks=None,
) -> Domain:
    about = {"spacing": spacing and list(spacing), "size": size}
    index = pd.DataFrame({"size": diameters})
    return Domain(
        "liver",
        np.zeros((len(diameters), 1, *patch)),
        index,
        ["benign", "malignant"],
        about,
        masks=masks,
    )


def test_a_ball_has_the_diameter_and_lies_in_the_middle():
    found = lesion_regions(domain(patch=(4, 4, 4), diameters=(3.5, 1.8)), np.array([1, 0]))
    # Voxels lie at 0.5 and 1.5 mm from the middle along each axis.
    # The eight next to it are 0.87 mm away, their neighbours 1.66 mm.
    inner = np.zeros((4, 4, 4), bool)
    inner[1:3, 1:3, 1:3] = True
    assert np.array_equal(found[0], inner)
    assert found[1].sum() == 8 + 24 and found[1][0, 1, 1] and not found[1][0, 0, 1]


def test_millimetres_count_and_not_voxels():
    found = lesion_regions(
        domain(patch=(9, 9, 9), spacing=(1.0, 1.0, 2.0), diameters=(8.2,)), np.array([0])
    )[0]
    assert found[:, 4, 4].sum() == 9 and found[4, 4].sum() == 5


def test_of_two_dimensions_it_is_a_disc():
    found = lesion_regions(
        domain(patch=(9, 9), spacing=(1.0, 1.0), diameters=(2.1,)), np.array([0])
    )[0]
    assert np.argwhere(found).tolist() == [[3, 4], [4, 3], [4, 4], [4, 5], [5, 4]]


def test_masks_come_first_and_a_lesion_without_one_has_no_region():
    masks = np.zeros((2, 8, 8, 8), np.uint8)
    masks[1, 2:4] = 1
    found = domain(masks=masks)
    assert region_kind(found) == MASK and region_kind(domain()) == BALL
    assert np.array_equal(lesion_regions(found, np.array([1, 0])), masks[[1, 0]] == 1)


@pytest.mark.parametrize(
    "change", ({"spacing": None}, {"size": "voxels of the patch above the window's floor"})
)
def test_without_a_size_in_mm_there_is_none(change):
    assert (
        region_kind(domain(**change)) is None
        and lesion_regions(domain(**change), np.array([0])) is None
    )
