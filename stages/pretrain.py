"""Train on the source domain, or on a candidate for it; or take weights trained elsewhere."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from graft.common.files import whole_folder
from graft.common.parameters import Section, read_parameters
from graft.common.seeds import derive
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.reference import DomainReference
from graft.data.task import read_task
from graft.multitask.train import TaskTraining
from graft.networks.build import architecture_for
from graft.networks.card import has_model, is_model
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.reference import ModelReference
from graft.networks.saved import load_model
from graft.networks.settings import Network
from graft.private_training.refusals import refuse_self_supervision
from graft.private_training.settings import Privacy
from graft.private_training.source import PrivateSource, train_source, train_without_privacy
from graft.private_training.without import write_without_privacy
from graft.training.checkpoint import clear_checkpoints
from graft.training.fitting import (
    log_curves,
    parent_reference,
    save_trained,
    write_empty_curves,
)
from graft.training.plan import Plan
from graft.training.settings import Augment, Training
from graft.transfer.adopt import save_adopted, save_trained_elsewhere
from graft.transfer.settings import SELF_SUPERVISED, Pretrain
from graft.transfer.start import fit_start, start_from_body, start_from_scratch
from graft.transfer.weights import find_weights, weights_of_model
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    source: str
    network: Network
    training: Training
    augment: Augment
    pretrain: Pretrain
    privacy: Privacy
    seed: int


def main(
    candidate: Annotated[
        str | None, typer.Argument(help="The domain to train on (default: source).")
    ] = None,
) -> None:
    """Write models/pretrained, or models/candidates/<candidate>, and the curves of the training.

    For the source, also write what a network without privacy predicts, if there is privacy.
    """
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    with_privacy = parameters.privacy.epsilon is not None
    if candidate is None and not with_privacy:
        source = Domain.read(paths.processed(parameters.source), paths.VERIFIED)
        write_without_privacy(paths.WITHOUT_PRIVACY, source)
    if candidate is None and parameters.pretrain.source != parameters.source:
        adopt(parameters)
        return
    name, stage = parameters.source, "pretrain"
    if candidate:
        name, stage = candidate, f"pretrain-{candidate}"
    use_deterministic_algorithms()
    plan = Plan(
        recipe=parameters.pretrain,
        training=parameters.training,
        augment=parameters.augment,
        seed=parameters.seed,
        purpose=stage,
        checkpoints=paths.CHECKPOINTS,
    )
    folder = paths.CANDIDATES / candidate if candidate else paths.PRETRAINED
    (train_with_privacy if with_privacy else train)(parameters, name, plan, folder)


def train(parameters: Parameters, name: str, plan: Plan, folder: Path) -> None:
    """Train a network on a domain, from scratch or from what it learned without labels."""
    stage = plan.stage
    device = pick_device(parameters.training.device)
    body, parent = None, None
    if has_model(paths.SELF_SUPERVISED):
        body = ModelReference.to(paths.SELF_SUPERVISED)
        parent = parent_reference(paths.SELF_SUPERVISED)
        say(f"{stage}: starts from {paths.SELF_SUPERVISED}")
    begin = partial(start_from_body, parameters.network, body, seed=parameters.seed)
    domain = DomainReference.to(paths.processed(name), paths.VERIFIED)
    if domain.read().tasks is not None:
        weighting = parameters.pretrain.tasks
        alone = parameters.pretrain.alone == "train" and stage == "pretrain"
        training = TaskTraining(domain, paths.split(name), begin, plan, weighting, device, parent)
        train_tasks(training, folder, alone)
        return
    task = read_task(
        paths.processed(name),
        paths.split(name),
        device,
        memory=parameters.training.memory,
        records=paths.VERIFIED,
    )
    start = begin(task=task, device=device)
    with log_curves(paths.CURVES / stage) as log:
        best = fit_start(start, task, plan, log)
    card = {"parent": parent, "scores": best}
    save_trained(folder, [start.network], start.architecture, task, plan, card)


def train_with_privacy(parameters: Parameters, name: str, plan: Plan, folder: Path) -> None:
    """Train with differential privacy per patient, and the source without it for comparison."""
    if has_model(paths.SELF_SUPERVISED):
        refuse_self_supervision()
    device = pick_device(parameters.training.device)
    source = PrivateSource.read(
        paths.processed(name),
        paths.split(name),
        device,
        parameters.training.memory,
        paths.VERIFIED,
    )
    begin = partial(start_from_scratch, parameters.network, source.task, parameters.seed, device)
    with log_curves(paths.CURVES / plan.stage) as log:
        train_source(source, begin(), plan, parameters.privacy, folder, log)
    if plan.stage == "pretrain":
        model = train_without_privacy(source, begin(), plan)
        write_without_privacy(paths.WITHOUT_PRIVACY, source.task.domain, source.other_rows, model)
    clear_checkpoints(plan.checkpoints / plan.stage)


def train_tasks(training: TaskTraining, folder: Path, alone: bool) -> None:
    """Train on all tasks of a domain, and on request on each of them alone."""
    stage = training.plan.stage
    with whole_folder(folder) as partial_folder:
        with log_curves(paths.CURVES / stage) as log:
            training.train(partial_folder, log)
        if alone:
            say(f"{stage}: trains on each task alone")
            training.train_alone(partial_folder)
    training.clear()
    say(f"{stage}: wrote {folder}")


def adopt(parameters: Parameters) -> None:
    """Write a pretrained model that nothing in this folder trained with labels.

    It is a model that graft trained elsewhere. Or its head is new, and its body learned without
    labels, or has published weights or those of a file.
    """
    domain = Domain.read(paths.processed(parameters.source), paths.VERIFIED)
    start = Path(parameters.pretrain.source)
    if is_model(start):
        save_trained_elsewhere(paths.PRETRAINED, start, parameters.network, domain)
        write_empty_curves(paths.CURVES / "pretrain")
        return
    architecture = architecture_for(parameters.network, domain)
    seed = derive(parameters.seed, "network")
    parent = None
    if parameters.pretrain.source == SELF_SUPERVISED:
        weights = weights_of_model(load_model(paths.SELF_SUPERVISED), paths.SELF_SUPERVISED)
        parent = parent_reference(paths.SELF_SUPERVISED)
    else:
        weights = find_weights(parameters.pretrain.source, parameters.network.name)
    save_adopted(paths.PRETRAINED, weights, architecture, domain, seed, parent)
    write_empty_curves(paths.CURVES / "pretrain")


if __name__ == "__main__":
    run(main)
