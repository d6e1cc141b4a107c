"""Train an ensemble of the regularised network.

Bagging is the mean of its members. Boosting is the sum Σ αₖ fₖ.
"""

from typing import Annotated, Literal

import typer

from graft.common.parameters import Section, read_parameters
from graft.console import run
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.settings import Predict
from graft.training.cross_fit import train_stage
from graft.training.members import Ensembling
from graft.training.plan import Plan
from graft.training.settings import Augment, Ensemble, Training
from graft.training.stage import Labelled
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    target: str
    training: Training
    augment: Augment
    ensemble: Ensemble
    predict: Predict
    seed: int


Method = Annotated[
    Literal["bagging", "boosting"], typer.Argument(help="how the members are trained and weighted")
]


def main(method: Method) -> None:
    """Write models/ensemble/<method> and the curves of its members, one after the other."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    use_deterministic_algorithms()
    target = parameters.target
    labelled = Labelled.read(paths.processed(target), paths.split(target), paths.VERIFIED)
    plan = Plan(
        recipe=parameters.ensemble,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose=f"ensemble-{method}",
        checkpoints=paths.CHECKPOINTS,
    )
    device = pick_device(parameters.training.device)
    count = parameters.ensemble.members
    stage = Ensembling(labelled, device, plan, parameters.predict, paths.REGULARIZED, method, count)
    train_stage(stage, paths.ENSEMBLE[method], paths.CURVES / plan.stage)


if __name__ == "__main__":
    run(main)
