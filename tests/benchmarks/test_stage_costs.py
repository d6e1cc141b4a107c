"""The costs of each stage: valid parameters of each cohort, and resuming."""

from dataclasses import asdict, replace

from benchmarks import stage_costs
from benchmarks.clone import ROOT
from benchmarks.stage_costs import (
    EPOCHS,
    PATIENTS,
    SIZES,
    STAGES,
    StageCost,
    measure_all,
    write_parameters,
)
from graft.common.files import write_json
from graft.config.parameters import load_parameters


def test_every_stage_of_the_pipeline_is_measured():
    modules = {path.stem for path in (ROOT / "stages").glob("*.py")}
    assert set(STAGES) == modules - {"paths", "parameters"}


def test_the_parameters_of_a_cohort_are_valid(tmp_path):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    write_parameters(tmp_path, 4)
    parameters = load_parameters(tmp_path / "params.yaml")
    assert parameters.phantom["liver"].patients == 4 * PATIENTS["liver"]
    assert parameters.pretrain.epochs == parameters.ensemble.epochs == EPOCHS


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    costs = []
    for size in SIZES:
        for stage in STAGES:
            costs.append(StageCost(stage, size, 40, 3.0, 2.0, 300_000_000))
    write_json(tmp_path / "growth.json", {"costs": [asdict(cost) for cost in costs[:-1]]})
    for size in SIZES:
        (tmp_path / f"size-{size:g}").mkdir()
    again = replace(costs[-1], processor=99.0)
    measured = []

    def measure(clone, stage, size):
        measured.append((clone.name, stage, size))
        return again

    monkeypatch.setattr(stage_costs, "measure_stage", measure)
    assert measure_all(tmp_path) == [*costs[:-1], again]
    assert measured == [("size-16", "report", 16.0)]
    assert measure_all(tmp_path)[-1] == again
    assert len(measured) == 1
