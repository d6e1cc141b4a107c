"""Gates: bounds that the metrics of a run must keep."""

import pytest

from flows.gates import Gate, gate_failures
from tests.flows.documents import AUROC, document


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
    assert gate_failures([Gate(metric=AUROC, **bounds)], document(0.7), document(0.8)) == failures


@pytest.mark.parametrize("metric", ["models.bagging.external.auroc.value", "models.baging"])
def test_a_gate_on_a_missing_metric_fails(metric):
    found = gate_failures([Gate(metric=metric, least=0)], document(), None)
    assert found == [f"{metric} is missing, expected a number"]


def test_a_gate_on_a_drop_holds_if_nothing_was_published_before():
    assert gate_failures([Gate(metric=AUROC, drop=0)], document(), None) == []
