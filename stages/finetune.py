"""Train on the target from the weights of the source by a strategy, or from scratch."""

from typing import Annotated, Literal

import typer
from pydantic import Field

from graft.common.parameters import Section, Weight, read_parameters
from graft.console import run
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.reference import ModelReference
from graft.networks.settings import Network, Predict
from graft.strategies.finetuning import FromScratch, FromSource
from graft.training.cross_fit import train_stage
from graft.training.plan import Plan
from graft.training.settings import Augment, Recipe, Training
from graft.training.stage import Labelled, StageTraining
from graft.transfer.settings import Finetune
from stages import paths


class Parameters(Section):
    """What transfer and training from scratch read of params.yaml."""

    target: str
    training: Training
    augment: Augment
    finetune: Recipe
    predict: Predict
    seed: int


class Transfer(Parameters):
    """What transfer reads of params.yaml: λ, and how it uses the source."""

    finetune: Finetune
    lambda_: Weight = Field(alias="lambda")


class Scratch(Parameters):
    """What training from scratch reads of params.yaml: the network too."""

    network: Network


Init = Annotated[
    Literal["transfer", "scratch"], typer.Argument(help="what the network starts from")
]


def main(init: Init) -> None:
    """Write models/finetuned/<init> and the curves of the training."""
    model: type[Parameters] = Transfer if init == "transfer" else Scratch
    parameters = read_parameters(model, paths.PARAMETERS)
    use_deterministic_algorithms()
    target = parameters.target
    labelled = Labelled.read(paths.processed(target), paths.split(target), paths.VERIFIED)
    device = pick_device(parameters.training.device)
    plan = Plan(
        recipe=parameters.finetune,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose=f"finetune-{init}",
        checkpoints=paths.CHECKPOINTS,
    )
    common = (labelled, device, plan, parameters.predict)
    stage: StageTraining
    if isinstance(parameters, Transfer):
        source = ModelReference.to(paths.PRETRAINED)
        stage = FromSource(*common, parameters.finetune, source, parameters.lambda_)
    else:
        assert isinstance(parameters, Scratch), "Transfer and Scratch are the two ways to start"
        stage = FromScratch(*common, parameters.network)
    keep = init == "transfer"  # `regularize` continues from it
    train_stage(stage, paths.FINETUNED[init], paths.CURVES / plan.stage, keep)


if __name__ == "__main__":
    run(main)
