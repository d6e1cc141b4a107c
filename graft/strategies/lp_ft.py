"""LP-FT: first fit a linear probe to the frozen features, then fine-tune all weights from there.

A head that fits the features already has small gradients, so fine-tuning distorts them less.

Source: Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", ICLR 2022.
"""

from dataclasses import replace

from graft.data.task import Task
from graft.strategies import l2_sp
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start


def train(start: Start, task: Task, plan: Plan, log: Log | None, show: bool) -> Row:
    """Train in place as L2-SP does, from a linear probe even if the head could be kept."""
    return l2_sp.train(replace(start, head="probe"), task, plan, log, show)
