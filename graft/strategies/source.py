"""The network of the source unchanged: what transfer gives without any label of the target."""

from graft.common.files import InputError
from graft.data.task import Task
from graft.training.loop import Log, validate_unchanged
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start


def train(start: Start, task: Task, plan: Plan, log: Log | None, show: bool) -> Row:
    """Train nothing. The row is that of an epoch 0.

    Raises:
        InputError: if the start has no head of the source.
    """
    if start.head != "pretrained":
        domain = task.domain
        raise InputError(
            "finetune.strategy: got 'source', which predicts with the head of the source, but the "
            f"classes or covariates of {domain.name} ({', '.join(domain.classes)}) are not those "
            "of the source, or finetune.head is new; expected another strategy"
        )
    return validate_unchanged(start.network, task, plan, log)
