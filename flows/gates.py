"""Gates: bounds that the metrics of a run must keep before it becomes the latest one."""

from collections.abc import Sequence

from pydantic import BaseModel

from flows.document import look_up_number


class Gate(BaseModel, extra="forbid"):
    """A bound for one metric of which more is better, named by its path in metrics.json.

    `least` is the lowest value that passes. `drop` is how far the metric may fall below its value
    in latest.json. A metric that is null or missing does not pass.
    """

    metric: str
    least: float | None = None
    drop: float | None = None


def gate_failures(gates: Sequence[Gate], document: dict, before: dict | None) -> list[str]:
    """Return one sentence for each gate that a document fails.

    Args:
        gates: the bounds.
        document: the document of this run.
        before: the document that was published last, if there is one.
    """
    former_metrics = before["metrics"] if before else {}
    found = []
    for gate in gates:
        value = look_up_number(document["metrics"], gate.metric)
        former = look_up_number(former_metrics, gate.metric)
        problem = _gate_failure(gate, value, former)
        if problem:
            found.append(f"{gate.metric} {problem}")
    return found


def _gate_failure(gate: Gate, value: float | None, former: float | None) -> str | None:
    if value is None:
        return "is missing, expected a number"
    if gate.least is not None and value < gate.least:
        return f"is {value:g}, expected at least {gate.least:g}"
    if gate.drop is not None and former is not None and value < former - gate.drop:
        return f"fell from {former:g} to {value:g}, expected a drop of at most {gate.drop:g}"
    return None
