"""A tissue of fibres: what tells its classes apart, and what does not."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.seeds import generator
from graft.phantom.anatomy import smooth_noise
from graft.phantom.cohort import draw_patient, size_auroc, write_cohort
from graft.phantom.fibres import FIBRES_HU, TISSUE_HU, render_fibres
from graft.phantom.lesion import Lesion
from graft.phantom.scan import centred_positions
from graft.phantom.traits import SEPARATION, TRAITS

SEED = 5
SCAN = replace(
    draw_patient(SEED, "unrelated", 1).scan,
    directions=np.eye(3),
    shape=(44, 44, 44),
    spacing=(1.0, 1.0, 1.0),  # mm
)
AXES = [centred_positions(60, 1.0).astype(np.float32)] * 3  # mm


def render_one(direction: float, number: int) -> np.ndarray:
    """A lesion of 24 mm in the middle of an untilted scan: the (11, 11, 11) mm in its centre."""
    lesion = Lesion("benign", np.zeros(3), {"diameter": 24.0, "direction": direction})
    volume = render_fibres(generator(SEED, "test", number), SCAN, [lesion])
    return volume[16:27, 16:27, 16:27]


def roughness(volumes: list[np.ndarray], axis: int) -> float:
    """The mean squared difference of neighbours along an axis, relative to the variance."""
    differences = [np.diff(volume, axis=axis) ** 2 for volume in volumes]
    return float(np.mean(differences)) / FIBRES_HU**2


def test_noise_has_the_length_of_each_axis():
    # White noise smoothed over s has the correlation exp(-d² / (4 s²)) at the distance d.
    noise = smooth_noise(generator(SEED, "test"), AXES, (3.0, 1.0, 1.5))
    for axis, length in enumerate((3.0, 1.0, 1.5)):
        expected = 2 - 2 * math.exp(-1 / (4 * length**2))
        assert np.mean(np.diff(noise, axis=axis) ** 2) == pytest.approx(expected, rel=0.1)


def test_fibres_run_along_x_or_along_y():
    # Lengths of 6.6 and 0.73 mm: 2 - 2 exp(-1 / (4 · 6.6²)) = 0.0114 and 2 - 2 exp(-0.469) = 0.749.
    along_x = [render_one(1.0, number) for number in range(20)]
    along_y = [render_one(-1.0, number) for number in range(20)]
    assert roughness(along_x, axis=0) == pytest.approx(0.0114, rel=0.3)
    assert roughness(along_x, axis=1) == pytest.approx(0.749, rel=0.15)
    assert roughness(along_y, axis=0) == pytest.approx(0.749, rel=0.15)
    assert roughness(along_y, axis=1) == pytest.approx(0.0114, rel=0.3)


@pytest.mark.parametrize("direction", [-1.0, 0.0, 1.0])
def test_density_and_contrast_do_not_depend_on_the_direction(direction):
    volumes = np.stack([render_one(direction, number) for number in range(40)])
    assert volumes.mean() == pytest.approx(TISSUE_HU, abs=6)  # about 3 standard errors
    assert volumes.std() == pytest.approx(FIBRES_HU, rel=0.1)


def test_a_lesion_has_no_visible_edge():
    lesion = Lesion("benign", np.zeros(3), {"diameter": 20.0, "direction": 0.5})
    volumes = []
    for number in range(20):
        volumes.append(render_fibres(generator(SEED, "test", number), SCAN, [lesion]))
    x, y, z = np.ix_(*SCAN.fine_axes())
    distance = np.sqrt(x**2 + y**2 + z**2)
    spread = np.std(volumes, axis=0)
    for shell in ((0, 6), (9, 11), (14, 20)):
        here = (distance > shell[0]) & (distance < shell[1])
        assert np.sqrt(np.mean(spread[here] ** 2)) == pytest.approx(FIBRES_HU, rel=0.08)


def test_a_perfect_reader_is_as_good_as_on_the_liver():
    # See Trait: all traits have an AUROC that rises with I, the sum of load² / (1 - load²).
    information = {}
    for organ in ("liver", "unrelated"):
        loads = [trait.load for trait in TRAITS[organ].values()]
        information[organ] = sum(load**2 / (1 - load**2) for load in loads)
    assert information["unrelated"] == pytest.approx(information["liver"], rel=0.05)
    assert SEPARATION["unrelated"] == SEPARATION["liver"]


def test_only_the_direction_depends_on_the_class():
    informative = [name for name, trait in TRAITS["unrelated"].items() if trait.load]
    assert informative == ["direction"]
    assert "direction" not in TRAITS["lung"]
    assert TRAITS["unrelated"]["direction"].low == -TRAITS["unrelated"]["direction"].high


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    folders = [tmp_path / "first", tmp_path / "second"]
    manifests = [write_cohort(folder, "unrelated", patients=2, seed=SEED) for folder in folders]
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()
    assert set(manifests[0]["diameter_mm"].between(16, 24)) == {True}


def test_size_does_not_tell_the_class():
    rows = []
    for number in range(300):
        patient = draw_patient(SEED, "unrelated", number)
        rows += [(lesion.label, lesion.traits["diameter"]) for lesion in patient.lesions]
    table = pd.DataFrame(rows, columns=["label", "diameter_mm"])
    assert size_auroc(table) == pytest.approx(0.5, abs=0.07)
