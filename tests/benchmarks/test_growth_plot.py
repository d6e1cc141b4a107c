"""The picture of the growth is drawn, and its labels do not overlap."""

import pytest
from PIL import Image

from benchmarks.growth_fit import Growth
from benchmarks.growth_plot import draw_growth, spread


@pytest.mark.parametrize(
    "places", [[0.1, 0.5, 0.9], [0.5] * 6, [0.1, 0.1, 0.12, 0.5, 0.51, 0.9], [0.0], []]
)
def test_labels_are_apart_and_in_order(places):
    moved = spread(places, 0.05)
    assert len(moved) == len(places)
    for below, above in zip(moved, moved[1:], strict=False):
        assert above - below >= 0.05 - 1e-9


def test_labels_that_are_apart_stay_and_groups_stay_in_their_middle():
    assert spread([0.1, 0.5, 0.9], 0.05) == pytest.approx([0.1, 0.5, 0.9])
    assert spread([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.4, 0.5, 0.6])


def test_the_picture_has_every_panel(tmp_path):
    path = tmp_path / "growth.png"
    points = {
        "evaluate": [(40, 5.4), (80, 5.8), (1280, 17.8)],
        "report": [(40, 2.0), (80, 2.0), (1280, 2.1)],
    }
    fits = {"evaluate": Growth(5.0, 0.01, 1.0), "report": None}
    draw_growth(path, {"time, s": (points, fits), "memory, MB": (points, fits)}, "title")
    with Image.open(path) as picture:
        assert picture.size == (1200, 640)
        assert len(picture.getcolors(1 << 20)) > 10
    assert list(tmp_path.iterdir()) == [path]
