"""Fine-tune on the target with a pull towards the source, or train there from scratch.

The transfer minimises L_target(θ) + λ·R(θ − θ_pretrained).
"""

from typing import Annotated, Literal

import torch
import typer
from pydantic import Field

from graft.common.parameters import Section, Weight, read_parameters
from graft.console import run, say
from graft.data.task import Task, read_task
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.networks.settings import Network
from graft.strategies.train import fit_strategy
from graft.training.fitting import log_curves, parent_reference, save_trained
from graft.training.plan import Plan
from graft.training.settings import Augment, Training
from graft.transfer.settings import Finetune
from graft.transfer.start import Start, start_from_scratch, start_from_source
from stages import paths


class Parameters(Section):
    """What transfer and training from scratch read of params.yaml."""

    target: str
    training: Training
    augment: Augment
    finetune: Finetune
    seed: int


class Transfer(Parameters):
    """What transfer reads of params.yaml: λ too."""

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
    device = pick_device(parameters.training.device)
    target = parameters.target
    task = read_task(
        paths.processed(target),
        paths.split(target),
        device,
        memory=parameters.training.memory,
        records=paths.VERIFIED,
    )
    start, card = begin(parameters, task, device)
    plan = Plan(
        recipe=parameters.finetune,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose=f"finetune-{init}",
        checkpoints=paths.CHECKPOINTS,
        pull=start.pull,
    )
    with log_curves(paths.CURVES / plan.stage) as log:
        best = fit_strategy("l2-sp", start, task, plan, log)
    card["scores"] = best
    save_trained(paths.FINETUNED[init], [start.network], start.architecture, task, plan, card)


def begin(parameters: Parameters, task: Task, device: torch.device) -> tuple[Start, dict]:
    """Start the network to train, and return it with what its card says about its origin."""
    if isinstance(parameters, Scratch):
        start = start_from_scratch(parameters.network, task, parameters.seed, device)
        return start, {"parent": None}
    assert isinstance(parameters, Transfer), "Transfer and Scratch are the two ways to start"
    source = load_model(paths.PRETRAINED)
    start = start_from_source(
        source, task, parameters.finetune, parameters.lambda_, parameters.seed, device
    )
    say(f"finetune-transfer: from {paths.PRETRAINED}: {start.carried}")
    card = {
        "parent": parent_reference(paths.PRETRAINED),
        "lambda": parameters.lambda_,
        "carried": vars(start.carried),
    }
    return start, card


if __name__ == "__main__":
    run(main)
