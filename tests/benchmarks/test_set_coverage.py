"""Simulated coverage of conformal sets."""

from collections import Counter

import numpy as np

from benchmarks.set_coverage import ALL, MARGINAL, ONE, OUT_OF_FOLD, coverage_rows, draw_sets


def test_every_way_has_the_coverage_of_both_classes():
    rows = coverage_rows(30, 2)
    assert Counter(row["way"] for row in rows) == dict.fromkeys(
        (ALL, ONE, MARGINAL, OUT_OF_FOLD), 2
    )
    assert {row["class"] for row in rows} == {"benign", "malignant"}
    for row in rows:
        assert 0.6 < row["coverage"] <= 1
        assert 0 < row["set size"] <= 2


def test_all_ways_make_sets_for_the_same_lesions():
    found = list(draw_sets(30, np.random.default_rng(0)))
    labels = found[0][1]
    for _, other, kept in found:
        assert np.array_equal(other, labels)
        assert kept.shape == (len(labels), 2)
