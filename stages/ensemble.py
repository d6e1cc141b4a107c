"""Train an ensemble of the regularised network.

Bagging is the mean of its members. Boosting is the sum Σ αₖ fₖ.
"""

from typing import Annotated, Literal

import typer
from torch import Tensor

from graft.common.parameters import Section, read_parameters
from graft.console import run
from graft.data.reference import DomainReference
from graft.data.split import read_split
from graft.data.task import make_task
from graft.networks.classifier import Classifier
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.training.ensemble import bag, boost, shares
from graft.training.fitting import log_curves, parent_reference, save_trained, train_network
from graft.training.members import Bag, plan_of_member, train_members
from graft.training.plan import Plan
from graft.training.settings import Augment, Ensemble, Training
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    target: str
    training: Training
    augment: Augment
    ensemble: Ensemble
    seed: int


Method = Annotated[
    Literal["bagging", "boosting"], typer.Argument(help="how the members are trained and weighted")
]


def main(method: Method) -> None:
    """Write models/ensemble/<method> and the curves of its members, one after the other."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    use_deterministic_algorithms()
    device = pick_device(parameters.training.device)
    parent = load_model(paths.REGULARIZED)
    target = DomainReference.to(paths.processed(parameters.target), paths.VERIFIED)
    domain = target.read()
    parts = read_split(paths.split(parameters.target), domain.index)
    train, validation = parts["train"], parts["validation"]
    memory = parameters.training.memory
    task = make_task(domain, train, validation, device, parent.encoding, memory)
    plan = Plan(
        recipe=parameters.ensemble,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose=f"ensemble-{method}",
        checkpoints=paths.CHECKPOINTS,
    )
    count = parameters.ensemble.members
    in_parallel = method == "bagging" and device.type != "cuda"
    if in_parallel:  # then `fit` reads each member from its checkpoint, and logs its curves
        train_members(Bag(paths.REGULARIZED, target, train, validation, device, plan), count)
    scores = []
    with log_curves(paths.CURVES / plan.stage) as log:

        def fit(k: int, weights: Tensor) -> Classifier:
            (member,) = load_model(paths.REGULARIZED, device).networks
            show = not in_parallel
            best = train_network(member, task, plan_of_member(plan, k), log, weights, show)
            scores.append(best)
            return member

        if method == "bagging":
            members, equal = bag(fit, task, count, parameters.seed)
            fitted = {"shares": equal}
        else:
            members, alphas = boost(fit, task, count, parameters.training.class_weights)
            fitted = {"shares": shares(alphas), "alphas": alphas}
    card = {"parent": parent_reference(paths.REGULARIZED), **fitted, "scores": scores}
    architecture = parent.card["architecture"]
    save_trained(paths.ENSEMBLE[method], members, architecture, task, plan, card)


if __name__ == "__main__":
    run(main)
