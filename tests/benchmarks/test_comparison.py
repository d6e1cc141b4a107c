"""Comparisons are printed and collected, and their aims are reported."""

import math

import pytest

from benchmarks.comparison import COLLECTED_IN, Comparison, describe, read_collected, report

FASTER = Comparison("epoch", "s", 1.2, "MONAI", 3.6, least_ratio=4, bound=2)


def test_the_ratio_says_how_many_times_as_fast_or_as_many():
    many = Comparison("batch of 8", "samples/s", 20_000, "MONAI", 5_000, more_is_better=True)
    assert FASTER.ratio == pytest.approx(3)
    assert many.ratio == 4


@pytest.mark.parametrize(("graft", "peer"), [(None, 2.0), (2.0, None), (0.0, 2.0)])
def test_there_is_no_ratio_without_both_figures(graft, peer):
    assert Comparison("epoch", "s", graft, "MONAI", peer, least_ratio=4).ratio is None


def test_aims_are_met_missed_or_not_measured():
    many = Comparison("batch", "samples/s", 9.0, "limit", 10.0, more_is_better=True, bound=9)
    none = Comparison("batch", "samples/s", None, "limit", None, least_ratio=2, bound=50_000)
    assert FASTER.aims == {"ratio at least 4": False, "at most 2 s": True}
    assert many.aims == {"at least 9 samples/s": True}
    assert list(none.aims.values()) == [None, None]


def test_a_comparison_is_one_line():
    assert describe(FASTER) == (
        "epoch: graft 1.2 s, MONAI 3.6 s; ratio 3; aim ratio at least 4: missed; "
        "aim at most 2 s: met"
    )
    skipped = Comparison("batch", "samples/s", None, "MONAI", None, note="not run: needs a GPU")
    assert describe(skipped) == "batch: not run: needs a GPU"


def test_reported_comparisons_are_printed_and_collected(tmp_path, monkeypatch, capsys):
    collected = tmp_path / "collected.jsonl"
    report(FASTER)
    assert read_collected(collected) == []
    monkeypatch.setenv(COLLECTED_IN, str(collected))
    other = Comparison("memory", "GB", 0.5, "all in memory", 100, note="sparse file")
    report(FASTER)
    report(other)
    assert read_collected(collected) == [FASTER, other]
    assert capsys.readouterr().out.splitlines() == [describe(FASTER)] * 2 + [describe(other)]


@pytest.mark.parametrize("figure", [math.nan, math.inf, -1.0])
def test_a_figure_that_is_none_is_refused(figure):
    with pytest.raises(ValueError, match="epoch: is .*, expected a finite figure of at least 0"):
        Comparison("epoch", "s", figure, "MONAI", 3.6)
