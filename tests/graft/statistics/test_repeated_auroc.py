"""AUROC over several trainings, on arrays small enough to count by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from graft.common.seeds import generator
from graft.statistics.cases import Cases
from graft.statistics.repeated_auroc import (
    RepeatedAuroc,
    auroc_from_pairs,
    count_ranked_pairs,
    draw_repetitions,
)


def two(disease):
    disease = np.array(disease, float)
    return np.stack([1 - disease, disease], 1)


def test_pairs_by_hand():
    labels, said = np.array([0, 0, 1, 1]), two([0.1, 0.5, 0.5, 0.9])
    won, number = count_ranked_pairs(
        labels, said, np.array([[1.0, 1, 1, 1], [0, 2, 1, 0], [1, 1, 0, 0]])
    )
    assert won.tolist() == [
        [3.5],
        [1],
        [0],
    ]  # the tie counts half; two ties of two pairs; no diseased
    assert number.tolist() == [[4], [2], [0]]
    assert auroc_from_pairs(won, number) == pytest.approx([0.875, 0.5, np.nan], nan_ok=True)


def test_more_classes_are_each_held_against_the_rest():
    random = np.random.default_rng(0)
    labels, said = random.integers(0, 3, 40), random.dirichlet(np.ones(3), 40)
    expected = roc_auc_score(labels, said, multi_class="ovr", average="macro")
    assert auroc_from_pairs(*count_ranked_pairs(labels, said, np.ones((1, 40)))) == pytest.approx(
        [expected]
    )


def test_repetitions_are_drawn_so_that_their_mean_varies_as_it_should():
    each = np.array([0.5, 0.6, 0.8])
    means = draw_repetitions(3, 200_000, generator(0, "test")) @ each
    assert means.mean() == pytest.approx(each.mean(), abs=1e-3)
    assert means.std() == pytest.approx(each.std(ddof=1) / np.sqrt(3), rel=0.01)
    assert draw_repetitions(1, 4, generator(0, "test")).tolist() == [[1]] * 4
    assert set(draw_repetitions(2, 50, generator(0, "test"))[:, 0]) == {0, 1}


@pytest.fixture
def cases():
    rows = pd.DataFrame({"patient": list("abcdefgh"), "label": ["benign", "malignant"] * 4})
    return Cases.of(rows, ["benign", "malignant"], 400, generator(0, "bootstrap"))


def test_an_interval_holds_both_sources_of_chance(cases):
    good, bad = two([0.1, 0.9, 0.2, 0.8] * 2), two([0.9, 0.1, 0.8, 0.2] * 2)
    picks = draw_repetitions(2, 400, generator(0, "draws"))

    def judged(*said):
        def measure(weights):
            return np.stack(
                [auroc_from_pairs(*count_ranked_pairs(cases.labels, one, weights)) for one in said],
                1,
            )

        return RepeatedAuroc.of(measure, cases, picks)

    lucky = judged(
        good, bad
    )  # perfect in one repetition, wrong in the other: not caused by patients
    assert (
        lucky.each.tolist() == [1, 0]
        and lucky.value == 0.5
        and lucky.spread == pytest.approx(np.sqrt(0.5))
    )
    estimate = lucky.estimate(0.95)
    assert (estimate["low"], estimate["high"]) == (0, 1)
    assert estimate["left_out"] == int(
        (~(cases.draws[:, ::2].any(1) & cases.draws[:, 1::2].any(1))).sum()
    )
    gain = (judged(good, good) - lucky).gain(0.95)
    assert gain["value"] == 0.5 and gain["low"] == 0 and gain["high"] == 1 and gain["p"] > 0.5
    assert judged(good, good).estimate(0.95)["low"] == 1


def test_one_repetition_has_no_spread():
    assert np.isnan(RepeatedAuroc(np.array([0.7]), np.array([0.6, 0.8])).spread)
