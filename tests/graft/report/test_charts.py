"""Charts that can be read in grey, in the dark and aloud."""

import re

from graft.report import curves, figures
from graft.report.charts import STYLES, draw


def test_the_same_drawing_has_the_same_bytes(read_run):
    run = read_run()
    assert curves.roc(run, "test").svg == curves.roc(run, "test").svg


def test_models_differ_without_colour():
    together = [
        [
            "scratch",
            "transfer",
            "regularized",
            "bagging",
            "boosting",
            "size_alone",
            "covariates_only",
        ],
        ["scratch", "transfer", "frozen"],
        ["before", "temperature", "isotonic"],
    ]
    for names in together:
        assert len({STYLES[name].dashes for name in names}) == len(names)
        assert len({STYLES[name].marker for name in names}) == len(names)


def test_every_colour_comes_from_the_style_sheet(read_run):
    svg = curves.roc(read_run(), "test").svg
    assert not re.search(r"#[0-9a-f]{6}\b", svg) and "var(--blue)" in svg


def test_text_of_the_data_is_no_markup_and_no_formula():
    chart = draw("x", "<b> & $x$", "a < b", lambda axes: axes.set_xlabel("<script> $\\frac{1}{2}$"))
    assert "<script>" not in chart.svg and "<b>" not in chart.svg
    assert "&lt;script&gt; $\\frac{1}{2}$" in chart.svg and "a &lt; b" in chart.svg


def test_alternative_text_says_the_numbers(read_run):
    run = read_run()
    assert "transfer 0.744 [0.624," in curves.roc(run, "test").alt
    assert (
        "transfer +0.189 [+0.039," in figures.gains(run, "test").alt
        and "helps" in figures.gains(run, "test").alt
    )
    assert (
        "31 patients: scratch 0.530" in figures.learning_curve(run, run.block("learning_curve")).alt
    )
    assert "0.05: 0.750" in figures.robustness(run)[0].alt


def test_a_decision_curve_says_where_a_model_is_worth_using(read_run):
    run = read_run()
    table = run.curves["decision"]
    at = table[table["part"] == "test"].pivot(
        index="threshold", columns="model", values="net_benefit"
    )
    worth = (at["transfer"] > at[["all", "none"]].max(axis=1)).sum()
    told = f"transfer lies above treating all and treating none at {worth} of 99 thresholds"
    assert told in curves.decision(run, "test").alt


def test_what_is_not_defined_is_not_drawn(read_run):
    run = read_run(bare=True)
    assert figures.gains(run, "test") is None and figures.robustness(run) == []
