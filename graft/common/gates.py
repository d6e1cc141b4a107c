"""Gates: bounds that the metrics of a run must keep, before it is published or promoted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graft.common.parameters import Section

CHOSEN = "chosen"  # models.chosen.… is the model that the run chose, whatever its name


class Gate(Section):
    """A bound for one metric of which more is better, named by its path in metrics.json.

    `models.chosen` in a path is the model that the run chose. `least` is the lowest value that
    passes. `drop` is how far the metric may fall below its value in the former document. A metric
    that is null or missing does not pass.
    """

    metric: str
    least: float | None = None
    drop: float | None = None


@dataclass(frozen=True)
class Judgement:
    """Whether a gate lets something pass, and one sentence about what was found."""

    gate: str
    passed: bool
    text: str


def judge_gates(gates: Sequence[Gate], metrics: Mapping, former: Mapping) -> Iterator[Judgement]:
    """Yield what each gate finds.

    Args:
        gates: the bounds.
        metrics: the content of metrics.json.
        former: that of the run to compare with; empty if there is none.
    """
    for gate in gates:
        value, before = (_number(document, gate.metric) for document in (metrics, former))
        problem = _problem(gate, value, before)
        yield Judgement(gate.metric, problem is None, problem or _success(gate, value, before))


def gate_failures(gates: Sequence[Gate], metrics: Mapping, former: Mapping) -> list[str]:
    """Return one sentence for each gate that a document fails; arguments as in `judge_gates`."""
    found = judge_gates(gates, metrics, former)
    return [f"{each.gate} {each.text}" for each in found if not each.passed]


def look_up(content: Any, path: str) -> Any:
    """Return the value at a path such as `models.bagging.test.auroc.value`, or None."""
    for key in path.split("."):
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def look_up_number(content: Any, path: str) -> float | None:
    """Return the number at a path, or None."""
    found = look_up(content, path)
    return found if isinstance(found, int | float) else None


def _number(metrics: Mapping, path: str) -> float | None:
    section, _, rest = path.partition(".")
    name, _, rest = rest.partition(".")
    if (section, name) == ("models", CHOSEN):
        path = f"models.{look_up(metrics, 'chosen.model')}.{rest}"
    return look_up_number(metrics, path)


def _problem(gate: Gate, value: float | None, former: float | None) -> str | None:
    if value is None:
        return "is missing, expected a number"
    if gate.least is not None and value < gate.least:
        return f"is {value:g}, expected at least {gate.least:g}"
    if gate.drop is not None and former is not None and value < former - gate.drop:
        return f"fell from {former:g} to {value:g}, expected a drop of at most {gate.drop:g}"
    return None


def _success(gate: Gate, value: float | None, former: float | None) -> str:
    words = [f"is {value:g}"]
    if gate.least is not None:
        words.append(f"at least {gate.least:g}")
    if gate.drop is not None and former is not None:
        words.append(f"it was {former:g} and may fall by {gate.drop:g}")
    return ", ".join(words)
