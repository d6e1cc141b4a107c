"""The growth of each stage as a table, a report and a picture."""

import pytest

from benchmarks.growth import NOISE, cost_table, fit_stages, panels, report_steepest
from benchmarks.stage_costs import SIZES, STAGES, StageCost


@pytest.fixture
def costs() -> list[StageCost]:
    """Measurements: time grows linearly, but that of `check` is square and `report` is constant."""
    found = []
    for size in SIZES:
        lesions = round(40 * size)
        for stage in STAGES:
            grown = {"check": 0.001 * lesions**2, "report": 0.0}.get(stage, 0.05 * lesions)
            found.append(StageCost(stage, size, lesions, 3 + grown, 2 + grown, 300_000_000))
    return found


def test_table_and_report_have_the_exponents(costs, capsys):
    fits = {quantity: fit_stages(costs, quantity) for quantity in NOISE}
    lines = list(cost_table(costs, fits))
    rows = {line.split(" | ")[0][2:]: line.split(" | ")[1:] for line in lines[3:]}
    assert lines[1].startswith("| stage | 40 lesions | 160 lesions | 640 lesions |")
    assert set(rows) == set(STAGES)
    assert rows["check"][-2:] == ["2.00", "– |"]
    assert rows["evaluate"][:1] == ["5.0 / 4.0 / 300"]
    assert rows["evaluate"][-2:] == ["1.00", "– |"]
    assert rows["report"][-2:] == ["–", "– |"]
    report_steepest("processor time", fits["processor"])
    shown = capsys.readouterr().out
    assert "growth of processor time with lesions, the steepest stage: check: graft 2," in shown
    assert "aim at most 1.2: missed" in shown


def test_the_picture_is_in_seconds_and_megabytes(costs):
    fits = {quantity: fit_stages(costs, quantity) for quantity in NOISE}
    (seconds, _), (megabytes, _) = panels(costs, fits).values()
    assert seconds["evaluate"][0] == (40, 4.0)
    assert megabytes["evaluate"][0] == (40, 300.0)
