"""L2-SP: fine-tune with a pull of all weights towards those of the source.

It minimises L_target(θ) + λ·R(θ − θ_pretrained). A head that starts as a linear probe is pulled
towards the probe.

Source: Li, Grandvalet and Davoine, "Explicit Inductive Bias for Transfer Learning with
Convolutional Networks", ICML 2018.
"""

from dataclasses import replace

from graft.data.task import Task
from graft.strategies.linear_probe import fit_probe
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start, fit_start


def train(start: Start, task: Task, plan: Plan, log: Log | None, show: bool) -> Row:
    """Train in place, from the head of the source, from a linear probe or from a random head."""
    return fit_start(prepare_head(start, task, plan), task, plan, log, show)


def prepare_head(start: Start, task: Task, plan: Plan) -> Start:
    """Fit a linear probe as the head if the start asks for it, and let the pull cover it too."""
    if start.head != "probe":
        return start
    fit_probe(start.network, task, plan.training.class_weights)
    pull = start.pull
    if pull:
        reference = dict(pull.reference)
        for name, parameter in start.network.head.named_parameters(prefix="head"):
            reference[name] = parameter.detach().clone()
        pull = replace(pull, reference=reference)
    return replace(start, pull=pull)
