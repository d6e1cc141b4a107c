"""Charts that are readable in grey, in dark mode and as text."""

import re

import pytest

from graft.charts.svg import STYLES, draw_chart
from graft.report import curves, figures

MODELS = (
    "scratch",
    "transfer",
    "regularized",
    "bagging",
    "boosting",
    "size_alone",
    "covariates_only",
)
ARMS = ("scratch", "l2-sp", "frozen", "lp-ft", "wise-ft", "delta", "source")
CALIBRATIONS = ("uncalibrated", "temperature", "isotonic")


def test_the_same_drawing_has_the_same_bytes(read_run):
    run = read_run()
    assert curves.roc(run, "test").svg == curves.roc(run, "test").svg


@pytest.mark.parametrize("names", [MODELS, ARMS, CALIBRATIONS])
def test_lines_of_one_chart_differ_without_colour(names):
    assert len({STYLES[name].dashes for name in names}) == len(names)
    assert len({STYLES[name].marker for name in names}) == len(names)


def test_every_colour_comes_from_the_style_sheet(read_run):
    svg = curves.roc(read_run(), "test").svg
    assert not re.search(r"#[0-9a-f]{6}\b", svg)
    assert "var(--blue)" in svg


def test_names_from_the_data_are_neither_markup_nor_formulas():
    label = "<script> $\\frac{1}{2}$"
    chart = draw_chart("x", "<b> & $x$", "a < b", lambda axes: axes.set_xlabel(label))
    assert "<script>" not in chart.svg
    assert "<b>" not in chart.svg
    assert "&lt;script&gt; $\\frac{1}{2}$" in chart.svg
    assert "a &lt; b" in chart.svg


def test_alternative_text_contains_the_numbers(read_run):
    run = read_run()
    assert "transfer 0.744 [0.624," in curves.roc(run, "test").alt
    gains = figures.gains(run, "test").alt
    assert "transfer +0.189 [+0.039," in gains
    assert "helps" in gains
    learning = figures.learning_curve(run, run.block("learning_curve")).alt
    assert "31 patients: scratch 0.530" in learning
    assert "0.05: 0.750" in figures.robustness(run)[0].alt


def test_a_decision_curve_counts_the_thresholds_at_which_a_model_is_useful(read_run):
    run = read_run()
    table = run.curves["decision"]
    table = table[table["part"] == "test"]
    benefit = table.pivot(index="threshold", columns="model", values="net_benefit")
    useful = (benefit["transfer"] > benefit[["all", "none"]].max(axis=1)).sum()
    expected = f"transfer is above treating all and treating none at {useful} of 99 thresholds"
    assert expected in curves.decision(run, "test").alt


def test_undefined_scores_are_not_drawn(read_run):
    run = read_run(bare=True)
    assert figures.gains(run, "test") is None
    assert figures.robustness(run) == []
