"""The growth of each stage: parameters, table and resuming."""

from dataclasses import asdict, replace

import pytest

from benchmarks import growth
from benchmarks.clone import ROOT
from benchmarks.growth import (
    NOISE,
    SIZES,
    STAGES,
    StageCost,
    cost_table,
    fit_stages,
    measure_all,
    panels,
    report_steepest,
    write_parameters,
)
from graft.common.files import write_json
from graft.config.parameters import load_parameters


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


def test_every_stage_of_the_pipeline_is_measured():
    modules = {path.stem for path in (ROOT / "stages").glob("*.py")}
    assert set(STAGES) == modules - {"paths", "parameters"}


def test_the_parameters_of_a_cohort_are_valid(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    write_parameters(tmp_path, 4)
    parameters = load_parameters(tmp_path / "params.yaml")
    assert parameters.phantom["liver"].patients == 4 * growth.PATIENTS["liver"]
    assert parameters.pretrain.epochs == parameters.ensemble.epochs == growth.EPOCHS


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


def test_what_was_measured_is_not_measured_again(costs, tmp_path, monkeypatch):
    write_json(tmp_path / "growth.json", {"costs": [asdict(cost) for cost in costs[:-1]]})
    for size in SIZES:
        (tmp_path / f"size-{size:g}").mkdir()
    again = replace(costs[-1], processor=99.0)
    measured = []

    def measure(clone, stage, size):
        measured.append((clone.name, stage, size))
        return again

    monkeypatch.setattr(growth, "measure_stage", measure)
    assert measure_all(tmp_path) == [*costs[:-1], again]
    assert measured == [("size-16", "report", 16.0)]
    assert measure_all(tmp_path)[-1] == again
    assert len(measured) == 1
