"""Frozen features: the body of the source unchanged, and a linear probe as the head."""

from graft.data.task import Task
from graft.strategies.linear_probe import fit_probe
from graft.training.loop import Log, validate_unchanged
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start


def train(start: Start, task: Task, plan: Plan, log: Log | None, show: bool) -> Row:
    """Fit the head in place. Its row is that of an epoch 0."""
    fit_probe(start.network, task, plan.training.class_weights)
    return validate_unchanged(start.network, task, plan, log)
