"""L2-SP: fine-tune with a pull of all carried weights towards those of the source.

It minimises L_target(θ) + λ·R(θ − θ_pretrained).

Source: Li, Grandvalet and Davoine, "Explicit Inductive Bias for Transfer Learning with
Convolutional Networks", ICML 2018.
"""

from graft.data.task import Task
from graft.strategies.linear_probe import fit_probe
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start, fit_start


def train(start: Start, task: Task, plan: Plan, log: Log | None, show: bool) -> Row:
    """Train in place. An untrained head starts as a linear probe if the start says so."""
    prepare_head(start, task, plan)
    return fit_start(start, task, plan, log, show)


def prepare_head(start: Start, task: Task, plan: Plan) -> None:
    """Fit a linear probe as the head of a start that asks for it."""
    if start.head == "probe":
        fit_probe(start.network, task, plan.training.class_weights)
