"""Simulated coverage of conformal sets."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest

from benchmarks.set_coverage import ALL, MARGINAL, ONE, OUT_OF_FOLD, coverage_rows, draw_sets
from graft.common.seeds import generator


def test_every_way_has_the_coverage_of_both_classes():
    rows = coverage_rows(30, 2)
    assert Counter(row["way"] for row in rows) == dict.fromkeys(
        (ALL, ONE, MARGINAL, OUT_OF_FOLD), 2
    )
    assert {row["class"] for row in rows} == {"benign", "malignant"}
    for row in rows:
        assert 0 < row["coverage"] <= 1
        assert 0 < row["set size"] <= 2


def test_sets_have_each_class_as_often_as_promised_and_one_quantile_does_not():
    """In 40 cohorts of fixed seeds, whose mean has a standard error of 1 point."""
    covered = {}
    for number in range(40):
        random = generator(number, "set coverage", 60)
        for way, labels, kept in islice(draw_sets(60, random), 3):  # the fourth way trains
            shares = [kept[labels == code, code].mean() for code in range(2)]
            covered.setdefault(way, []).append(shares)
    mean = {way: np.mean(shares, axis=0) for way, shares in covered.items()}
    for way in (ALL, ONE):
        assert mean[way] == pytest.approx([0.91, 0.91], abs=0.02)
    assert mean[MARGINAL][1] < mean[ALL][1] - 0.01  # the rarer class falls short
    assert mean[MARGINAL][0] > mean[ALL][0] + 0.01


def test_all_ways_make_sets_for_the_same_lesions():
    found = list(draw_sets(30, np.random.default_rng(0)))
    labels = found[0][1]
    for _, other, kept in found:
        assert np.array_equal(other, labels)
        assert kept.shape == (len(labels), 2)
