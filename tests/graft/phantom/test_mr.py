"""MR: T2 contrast, gain, bias field and noise."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graft.common.seeds import generator
from graft.ingest.intensity import raw_window
from graft.phantom import mr
from graft.phantom.cohort import (
    Patient,
    draw_patient,
    manifest_rows,
    render_patient,
    write_cohort,
)
from graft.phantom.lesion import Lesion
from graft.phantom.traits import TRAITS

SEED = 5


@pytest.fixture(scope="module")
def patient() -> Patient:
    """A patient of site-a with a tilted scan and one smooth, solid lesion: 16 mm, T2 80 ms."""
    for number in range(50):
        drawn = draw_patient(SEED, "liver_mr", number)
        if drawn.scan.site == "site-a" and abs(drawn.scan.affine[0, 1]) > 0.02:
            break
    traits = dict.fromkeys(TRAITS["liver_mr"], 0.0)
    traits |= {"diameter": 16.0, "edge": 0.5, "t2": 80.0}
    lesion = Lesion("malignant", drawn.lesions[0].centre, traits)
    return replace(drawn, lesions=(lesion,))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        write_cohort(tmp_path / name, "liver_mr", patients=2, seed=SEED, workers=1)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_every_scan_has_its_own_gain():
    gains = [draw_patient(SEED, "liver_mr", number).scan.gain for number in range(200)]
    assert len(set(gains)) == 200
    assert min(gains) > 500
    assert max(gains) < 8000
    assert np.median(gains) == pytest.approx(2000, rel=0.25)  # sqrt(500 * 8000)


def test_intensities_follow_t2(patient):
    scan = replace(patient.scan, te_ms=80.0, gain=1000.0, noise=1e-4, reach_mm=1e4)  # no bias field
    volume = render_patient(replace(patient, scan=scan), generator(SEED, "test")).astype(float)
    _, _, _, *position, _, _ = manifest_rows(patient)[0]
    indices = np.indices(scan.shape).reshape(3, -1)
    points = scan.affine[:3, :3] @ indices + scan.affine[:3, 3:]
    offsets = points - np.array(position)[:, None]
    distance = np.linalg.norm(offsets, axis=0).reshape(scan.shape)
    lesion = volume[distance < 4].mean()
    liver = np.median(volume[(distance > 12) & (distance < 20)])
    assert lesion == pytest.approx(368, abs=3)  # 1000 * exp(-80 / 80)
    assert liver == pytest.approx(176, abs=6)  # 1000 * exp(-80 / 46)


def test_a_window_in_percentiles_removes_the_gain(patient):
    low_gain = window_at_gain(patient, 1500.0)
    high_gain = window_at_gain(patient, 6000.0)
    assert high_gain / low_gain == pytest.approx(4, rel=0.02)


def window_at_gain(patient: Patient, gain: float) -> np.ndarray:
    scan = replace(patient.scan, gain=gain)
    volume = render_patient(replace(patient, scan=scan), generator(SEED, "test"))
    return np.array(raw_window((1.0, 99.0), "percentile", volume))


def test_the_bias_field_is_a_gaussian_around_the_coil():
    # The reach is 100 mm. 10 mm nearer to the coil it is exp((60² - 50²) / (2 * 100²)), 10 mm
    # farther away exp((60² - 70²) / (2 * 100²)).
    scan = mr.MrScan(
        site="site-a",
        shape=(21, 21, 21),
        spacing=(1.0, 1.0, 1.0),
        directions=np.diag([-1.0, -1.0, 1.0]),
        centre=np.zeros(3),
        te_ms=80.0,
        noise=0.01,
        gain=1000.0,
        coil=np.array([0.0, 60.0, 0.0]),
        reach_mm=100.0,
    )
    field = scan.bias_field()
    values = (field[10, 0, 10], field[10, 10, 10], field[10, 20, 10])
    assert values == pytest.approx((1.0565, 1, 0.9371), abs=1e-4)


def test_noise_is_rician():
    # Without a signal the magnitude has a Rayleigh distribution, whose mean is sqrt(pi / 2)
    # standard deviations: 1.2533 * 20.
    scan = draw_patient(SEED, "liver_mr", 1).scan
    scan = replace(scan, shape=(30, 30, 30), spacing=(1.0, 1.0, 1.0), noise=0.02, gain=1000.0)
    volume = mr.acquire(scan, np.zeros((30, 30, 30)), generator(SEED, "test"))
    assert volume.mean() == pytest.approx(25.07, abs=0.3)
