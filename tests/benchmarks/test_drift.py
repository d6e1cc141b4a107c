"""Simulated nights: none is like another, a large change is found, and its delay is counted."""

import numpy as np
import pytest

from benchmarks import drift
from benchmarks.drift import Delay, describe_alarms, quiet_nights, scans_until_alarm
from benchmarks.drift_pool import CORRUPTIONS, SAME, SITE, Inputs, Pool
from graft.common.seeds import generator
from graft.drift.window import FEWEST, WINDOW
from graft.familiarity.measurements import INTENSITIES, Measurements

CHANGE = next(iter(CORRUPTIONS))


@pytest.fixture
def pool(monkeypatch) -> Pool:
    """300 lesions of 200 patients; the change shifts what is measured by ten deviations."""
    random = generator(0, "pool")
    patients = np.sort(random.integers(200, size=300))
    changed = {}
    for name, shift in ((SAME, 0.0), (CHANGE, 10.0)):
        intensities = {key: random.normal(loc=shift, size=300) for key in INTENSITIES}
        measured = Measurements(intensities, np.ones((300, 3)), random.normal(size=(300, 4)))
        changed[name] = Inputs(measured, random.random(300))
    found = Pool(patients, random.random(300) < 0.5, patients % 4 == 0, changed)
    monkeypatch.setattr(drift, "read_pool", lambda run, workdir: found)
    monkeypatch.setattr(drift, "NIGHTS", 12)
    monkeypatch.setattr(drift, "BEFORE", 3)
    return found


def test_nights_without_a_change_repeat_and_differ_between_sequences(pool, tmp_path):
    first, again, other = (quiet_nights(tmp_path, 28, WINDOW, number) for number in (0, 0, 1))
    assert first == again
    assert first != other
    assert len(first) == 12
    assert FEWEST == drift.A_NIGHT
    assert min(first) > 0.001


def test_a_large_change_is_found_within_a_few_nights(pool, tmp_path):
    found = scans_until_alarm(tmp_path, 28, WINDOW, CHANGE, 0.01, 0)
    assert found is not None
    assert 10 <= found <= 60


def test_another_site_has_its_patients_alone(pool):
    nights = drift.Sequence(pool, 0, 28)
    drawn = [scan.values["probability"] for scan in nights.night(SITE)]
    assert set(drawn) <= set(pool.changed[SAME].probability[pool.is_external])


def test_the_patients_of_the_reference_do_not_come_again(pool):
    nights = drift.Sequence(pool, 0, 28)
    reference = set(nights.familiar.reference["intensity_mean"])
    drawn = {scan.values["intensity_mean"] for _ in range(30) for scan in nights.night(SAME)}
    assert len(reference) == 28
    assert not reference & drawn


def test_delays_are_counted_with_those_that_never_come():
    delay = Delay("noise", [10, 20, 60, None])
    assert (delay.within(20), delay.within(1000)) == (2, 3)
    assert (delay.quantile(0.5), delay.quantile(0.9)) == ("60", "more than 400")


def test_alarms_are_summed_up():
    alarms = np.zeros((4, 100), bool)
    alarms[0, :8] = True
    text = describe_alarms(alarms)
    assert text.startswith("without a change: 2.00 alarms in 100 nights [")
    assert "more than 5 in 25% [1%, 81%] of the sequences" in text
