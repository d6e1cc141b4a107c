"""Train an ensemble of the regularised network.

Bagging is the mean of its members. Boosting is the sum Σ αₖ fₖ.
"""

from dataclasses import replace
from typing import Annotated, Literal

import typer
from torch import Tensor

from graft.common.parameters import Section, read_parameters
from graft.console import run
from graft.data.task import read_task
from graft.networks.classifier import Classifier
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.training.ensemble import bag, boost, shares
from graft.training.fitting import log_curves, parent_reference, save_trained, train_network
from graft.training.loop import Plan
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
    target = parameters.target
    task = read_task(
        paths.processed(target),
        paths.split(target),
        device,
        parent.encoding,
        memory=parameters.training.memory,
        records=paths.VERIFIED,
    )
    plan = Plan(
        recipe=parameters.ensemble,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose=f"ensemble-{method}",
        checkpoints=paths.CHECKPOINTS,
    )
    scores = []
    with log_curves(paths.CURVES / plan.stage) as log:

        def fit(k: int, weights: Tensor) -> Classifier:
            (member,) = load_model(paths.REGULARIZED, device).networks
            plan_of_member = replace(plan, purpose=f"{plan.stage}/{k}")
            best = train_network(member, task, plan_of_member, log, weights)
            scores.append(best)
            return member

        if method == "bagging":
            members, equal = bag(fit, task, parameters.ensemble.members, parameters.seed)
            fitted = {"shares": equal}
        else:
            balance = parameters.training.class_weights
            members, alphas = boost(fit, task, parameters.ensemble.members, balance)
            fitted = {"shares": shares(alphas), "alphas": alphas}
    card = {"parent": parent_reference(paths.REGULARIZED), **fitted, "scores": scores}
    architecture = parent.card["architecture"]
    save_trained(paths.ENSEMBLE[method], members, architecture, task, plan, card)


if __name__ == "__main__":
    run(main)
