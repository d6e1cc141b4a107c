"""MR: T2 contrast, gain, bias field and noise."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graft.common.seeds import generator
from graft.grids.intensity import raw_window
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


def draw_tilted_patient() -> Patient:
    """A patient of site-a whose scan is tilted."""
    for number in range(50):
        patient = draw_patient(SEED, "liver_mr", number)
        scan = patient.scan
        if scan.site == "site-a" and abs(scan.affine[0, 1]) > 0.02:
            return patient
    raise AssertionError("none of 50 scans of site-a is tilted")


@pytest.fixture(scope="module")
def patient() -> Patient:
    """A patient of site-a with a tilted scan and one smooth, solid lesion: 16 mm, T2 80 ms."""
    drawn = draw_tilted_patient()
    traits = dict.fromkeys(TRAITS["liver_mr"], 0.0)
    traits |= {"diameter": 16.0, "edge": 0.5, "t2": 80.0}
    lesion = Lesion("malignant", drawn.lesions[0].centre, traits)
    return replace(drawn, lesions=(lesion,))


def render(patient: Patient, **changes: float) -> np.ndarray:
    """The voxels of a patient whose scan has other settings."""
    scan = replace(patient.scan, **changes)
    return render_patient(replace(patient, scan=scan), generator(SEED, "test"))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    first = tmp_path / "first"
    second = tmp_path / "second"
    for folder in (first, second):
        write_cohort(folder, "liver_mr", patients=2, seed=SEED)
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_every_scan_has_its_own_gain():
    gains = []
    for number in range(200):
        patient = draw_patient(SEED, "liver_mr", number)
        gains.append(patient.scan.gain)
    assert len(set(gains)) == 200
    assert min(gains) > 500
    assert max(gains) < 8000
    assert np.median(gains) == pytest.approx(2000, rel=0.25)  # sqrt(500 * 8000)


def distance_from_lesion(patient: Patient) -> np.ndarray:
    """The distance of each voxel from the first lesion of the manifest: (X, Y, Z) mm."""
    _, _, _, *position, _, _ = manifest_rows(patient)[0]
    scan = patient.scan
    indices = np.indices(scan.shape).reshape(3, -1)
    points = scan.affine[:3, :3] @ indices + scan.affine[:3, 3:]
    offsets = points - np.array(position)[:, None]
    return np.linalg.norm(offsets, axis=0).reshape(scan.shape)


def test_intensities_follow_t2(patient):
    # A reach of 10 m leaves no bias field.
    volume = render(patient, te_ms=80.0, gain=1000.0, noise=1e-4, reach_mm=1e4)
    volume = volume.astype(float)
    distance = distance_from_lesion(patient)
    lesion = volume[distance < 4].mean()
    around_the_lesion = (distance > 12) & (distance < 20)
    liver = np.median(volume[around_the_lesion])
    assert lesion == pytest.approx(368, abs=3)  # 1000 * exp(-80 / 80)
    assert liver == pytest.approx(176, abs=6)  # 1000 * exp(-80 / 46)


def window_at_gain(patient: Patient, gain: float) -> np.ndarray:
    volume = render(patient, gain=gain)
    window = raw_window((1.0, 99.0), "percentile", volume)
    return np.array(window)


def test_a_window_in_percentiles_follows_the_gain(patient):
    low_gain = window_at_gain(patient, 1500.0)
    high_gain = window_at_gain(patient, 6000.0)
    assert high_gain / low_gain == pytest.approx(4, rel=0.02)


def test_the_bias_field_is_a_gaussian_around_the_coil():
    # The coil is 60 mm from the centre, and its reach is 100 mm. Relative to the centre, the field
    # is exp((60² - 50²) / (2 * 100²)) = 1.0565 at 10 mm nearer to the coil, and
    # exp((60² - 70²) / (2 * 100²)) = 0.9371 at 10 mm farther away.
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
    along_y = field[10, :, 10]
    assert along_y[0] == pytest.approx(1.0565, abs=1e-4)
    assert along_y[10] == pytest.approx(1, abs=1e-4)
    assert along_y[20] == pytest.approx(0.9371, abs=1e-4)


def test_noise_is_rician():
    # Without a signal the magnitude has a Rayleigh distribution, whose mean is sqrt(pi / 2)
    # standard deviations: 1.2533 * 20.
    patient = draw_patient(SEED, "liver_mr", 1)
    shape = (30, 30, 30)
    spacing = (1.0, 1.0, 1.0)
    scan = replace(patient.scan, shape=shape, spacing=spacing, noise=0.02, gain=1000.0)
    no_signal = np.zeros(shape)
    volume = mr.acquire(scan, no_signal, generator(SEED, "test"))
    assert volume.mean() == pytest.approx(25.07, abs=0.3)
