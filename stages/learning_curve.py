"""Train with some shares of the labels, several times each, for the learning curve."""

from collections.abc import Sequence

import torch
from pydantic import Field

from graft.common.parameters import Weight, read_parameters
from graft.console import run, say
from graft.data.reference import DomainReference
from graft.data.sealed_tables import write_sealed_table
from graft.data.split import read_split
from graft.data.task import read_task
from graft.networks.build import adapt_architecture
from graft.networks.card import write_no_model
from graft.networks.device import pick_device
from graft.networks.reference import ModelReference
from graft.networks.saved import load_model
from graft.repeated.cache import Arrays
from graft.repeated.kept_weights import rebuild
from graft.repeated.learning_curve import empty_table, train_learning_curve
from graft.repeated.settings import LearningCurve, RepeatedFinetuning
from graft.repeated.trainings import PulledSource, RepeatedTrainings
from graft.training.fitting import parent_reference, save_trained
from graft.training.plan import Plan
from stages import paths

OUTPUT = paths.REPEATED["learning_curve"]


class Parameters(RepeatedFinetuning):
    """What this stage reads of params.yaml."""

    target: str
    lambda_: Weight = Field(alias="lambda")
    learning_curve: LearningCurve
    seed: int


def main() -> None:
    """Write the predictions of every training, and the mean of those with all labels as a model.

    The table is empty if draws is 0.
    """
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    wanted = parameters.learning_curve
    target = DomainReference.to(paths.processed(parameters.target), paths.VERIFIED)
    domain = target.read()
    if not wanted.draws:
        write_sealed_table(OUTPUT, empty_table(domain.classes))
        write_deep_ensemble(parameters, [])
        say("learning curve: off, because learning_curve.draws is 0")
        return
    trainings = RepeatedTrainings(
        stage="learning_curve",
        target=target,
        settings=parameters.alone(),
        device=pick_device(parameters.training.device),
        checkpoints=paths.CHECKPOINTS,
    )
    model = ModelReference.to(paths.PRETRAINED)
    table, kept = train_learning_curve(
        trainings,
        parts=read_split(paths.split(parameters.target), domain.index),
        shares=[*wanted.shares, 1.0],
        draws=wanted.draws,
        source=PulledSource(paths.PRETRAINED.name, model, parameters.lambda_),
        arms=wanted.arms,
        seed=parameters.seed,
        cache=paths.TRAININGS / "learning_curve",
    )
    write_sealed_table(OUTPUT, table)
    write_deep_ensemble(parameters, kept)
    say(f"learning curve: wrote {len(table)} predictions to {OUTPUT}")


def write_deep_ensemble(parameters: Parameters, kept: Sequence[Arrays]) -> None:
    """Write the networks that trained with all labels as one model, their mean.

    Without two of them the folder has a note instead of a model.
    """
    if len(kept) < 2:
        write_no_model(paths.DEEP, "learning_curve.draws is below 2")
        return
    target = parameters.target
    device = torch.device("cpu")
    task = read_task(paths.processed(target), paths.split(target), device, records=paths.VERIFIED)
    source = load_model(paths.PRETRAINED)
    encoding = task.encoding.width
    architecture = adapt_architecture(source.card["architecture"], task.domain, encoding)
    plan = Plan(
        recipe=parameters.finetune,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose="learning_curve",
        checkpoints=paths.CHECKPOINTS,
    )
    card = {
        "parent": parent_reference(paths.PRETRAINED),
        "strategy": parameters.finetune.strategy,
        "lambda": parameters.lambda_,
        "shares": [1 / len(kept)] * len(kept),
    }
    networks = [rebuild(result, architecture) for result in kept]
    save_trained(paths.DEEP, networks, architecture, task, plan, card)


if __name__ == "__main__":
    run(main)
