"""A target of spheres: what tells its classes apart, and what does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.seeds import generator
from graft.phantom.cohort import draw_patient, size_auroc, write_cohort
from graft.phantom.ct import MUSCLE_HU
from graft.phantom.lesion import Lesion
from graft.phantom.spheres import render_spheres
from graft.phantom.traits import SEPARATION, TRAITS

SEED = 5
SCAN = replace(
    draw_patient(SEED, "unrelated", 1).scan,
    directions=np.eye(3),
    shape=(44, 44, 44),
    spacing=(1.0, 1.0, 1.0),  # mm
)


def render_one(contrast: float) -> np.ndarray:
    """A sphere of 20 mm in the middle of a scan."""
    lesion = Lesion("benign", np.zeros(3), {"diameter": 20.0, "contrast": contrast})
    return render_spheres(generator(SEED, "test"), SCAN, [lesion])


@pytest.mark.parametrize("contrast", [-60.0, 25.0])
def test_a_sphere_is_homogeneous_and_has_its_contrast(contrast):
    x, y, z = np.ix_(*SCAN.fine_axes())
    distance = np.sqrt(x**2 + y**2 + z**2)
    volume = render_one(contrast)
    assert volume[distance < 7] == pytest.approx(MUSCLE_HU + contrast, abs=0.5)
    tissue = volume[distance > 14]
    assert tissue.mean() == pytest.approx(MUSCLE_HU, abs=0.5)


def test_an_inversion_changes_one_class_into_the_other():
    tissue = render_one(0.0)
    sphere = render_one(40.0) - tissue
    inverted = render_one(-40.0) - tissue
    np.testing.assert_allclose(sphere, -inverted, atol=1e-4)
    contrast = TRAITS["unrelated"]["contrast"]
    assert contrast.low == -contrast.high  # and the two classes are drawn symmetrically around 0


def test_a_perfect_reader_is_as_good_as_on_the_liver():
    # See Trait: all traits have an AUROC that rises with I, the sum of load² / (1 - load²).
    information = {}
    for organ in ("liver", "unrelated"):
        loads = [trait.load for trait in TRAITS[organ].values()]
        information[organ] = sum(load**2 / (1 - load**2) for load in loads)
    assert information["unrelated"] == pytest.approx(information["liver"], rel=0.05)
    assert SEPARATION["unrelated"] == SEPARATION["liver"]


def test_only_the_contrast_depends_on_the_class_and_the_lung_does_not_have_it():
    informative = [name for name, trait in TRAITS["unrelated"].items() if trait.load]
    assert informative == ["contrast"]
    assert "contrast" not in TRAITS["lung"]


def test_size_does_not_tell_the_class():
    rows = []
    for number in range(300):
        patient = draw_patient(SEED, "unrelated", number)
        rows += [(lesion.label, lesion.traits["diameter"]) for lesion in patient.lesions]
    table = pd.DataFrame(rows, columns=["label", "diameter_mm"])
    assert size_auroc(table) == pytest.approx(0.5, abs=0.07)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    folders = [tmp_path / "first", tmp_path / "second"]
    manifests = [write_cohort(folder, "unrelated", patients=2, seed=SEED) for folder in folders]
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()
    assert set(manifests[0]["diameter_mm"].between(16, 24)) == {True}
