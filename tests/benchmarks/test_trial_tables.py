"""The scores of trials by arm and share, and the choice of an arm by other trainings."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.lidc import make_domain
from benchmarks.real_trials import Trial, halve, predict_by_size
from benchmarks.trial_tables import CHOSEN, Scores, choose_by_others, score_trials, share_table

DISEASED = np.array([True, False] * 4)


@pytest.fixture
def domain():
    """Eight lesions of four patients; the diseased ones are larger."""
    volumes = np.zeros((8, 1, 4, 4, 4), np.uint8)
    volumes[:, 0, 1] = 255
    patients = np.repeat(["a", "b", "c", "d"], 2)
    sizes = np.array([9.0, 1, 8, 2, 7, 3, 6, 4])
    return make_domain("target", volumes, patients, DISEASED, ["healthy", "diseased"], sizes)


def test_each_training_is_scored_on_its_own_test_cases(domain):
    trials = [
        Trial(number, 0.5, np.arange(4), test)
        for number, test in enumerate((np.array([4, 5]), np.array([6, 7])))
    ]
    wrong = pd.DataFrame(
        {
            "trial": [0, 0, 1, 1],
            "share": 0.5,
            "arm": "network",
            "sample": [4, 5, 6, 7],
            "probability": [0.1, 0.9, 0.9, 0.1],
        }
    )
    table = pd.concat([wrong, predict_by_size(domain, trials)], ignore_index=True)
    (scores,) = score_trials(domain, trials, table, np.zeros(8, int))
    assert scores.overall == {"network": {0: 0, 1: 1}, "size alone": {0: 1, 1: 1}}
    assert scores.lesions == 4


def test_halves_have_the_same_patients_each_time(domain):
    half_of = halve(domain, "test", 0)
    assert np.bincount(half_of).tolist() == [4, 4]
    assert pd.Series(half_of).groupby(domain.index["patient"]).nunique().eq(1).all()
    assert np.array_equal(half_of, halve(domain, "test", 0))


def test_the_arm_of_a_half_is_chosen_by_the_other_half():
    figures = {"scratch": {0: 0.5, 1: 0.5}, "a": {0: 0.9, 1: 0.6}, "b": {0: 0.7, 1: 0.8}}
    scores, chosen = choose_by_others(Scores(0.1, 10, figures, figures), ["a", "b"], {0: 0, 1: 1})
    assert chosen == {0: "b", 1: "a"}
    assert scores.overall[CHOSEN] == {0: 0.7, 1: 0.6}
    lines = list(share_table(scores))
    assert any(line.startswith(f"| {CHOSEN} | 0.650 (0.050) | +0.150 (0.050)") for line in lines)
