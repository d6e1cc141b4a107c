"""Gates: bounds that the metrics of a run must keep."""

import pytest
from pydantic import ValidationError

from graft.common.gates import Gate, gate_failures, judge_gates, look_up_number

AUROC = "models.bagging.test.auroc.value"


def metrics(bagging: float) -> dict:
    models = {"scratch": 0.6, "bagging": bagging}
    scored = {name: {"test": {"auroc": {"value": value}}} for name, value in models.items()}
    return {"models": scored, "chosen": {"model": "bagging"}}


@pytest.mark.parametrize(
    ("bounds", "failures"),
    [
        ({"least": 0.7}, []),
        ({"least": 0.71}, [f"{AUROC} is 0.7, expected at least 0.71"]),
        ({"drop": 0.2}, []),
        ({"drop": 0.05}, [f"{AUROC} fell from 0.8 to 0.7, expected a drop of at most 0.05"]),
    ],
)
def test_a_gate_fails_beyond_its_bound(bounds, failures):
    assert gate_failures([Gate(metric=AUROC, **bounds)], metrics(0.7), metrics(0.8)) == failures


@pytest.mark.parametrize("metric", ["models.bagging.external.auroc.value", "models.baging"])
def test_a_gate_on_a_missing_metric_fails(metric):
    found = gate_failures([Gate(metric=metric, least=0)], metrics(0.8), {})
    assert found == [f"{metric} is missing, expected a number"]


def test_a_gate_on_a_drop_holds_if_there_is_no_former_run():
    assert gate_failures([Gate(metric=AUROC, drop=0)], metrics(0.8), {}) == []


def test_a_gate_on_the_chosen_model_compares_what_each_run_chose():
    former = metrics(0.8) | {"chosen": {"model": "scratch"}}
    gate = Gate(metric="models.chosen.test.auroc.value", least=0.7, drop=0.01)
    (passed,) = judge_gates([gate], metrics(0.75), former)
    assert passed.passed
    assert passed.text == "is 0.75, at least 0.7, it was 0.6 and may fall by 0.01"
    (failed,) = judge_gates([gate], metrics(0.75), metrics(0.8))
    assert failed.text == "fell from 0.8 to 0.75, expected a drop of at most 0.01"


@pytest.mark.parametrize("bounds", [{"least": float("nan")}, {"most": 1}])
def test_a_bound_that_would_let_everything_pass_is_refused(bounds):
    with pytest.raises(ValidationError):
        Gate(metric=AUROC, **bounds)


@pytest.mark.parametrize(
    ("path", "number"), [("a.b", 2), ("a", None), ("a.b.c", None), ("a.text", None), ("c", None)]
)
def test_only_a_number_is_looked_up(path, number):
    assert look_up_number({"a": {"b": 2, "text": "2"}}, path) == number
