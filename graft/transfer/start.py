"""The network that training on a target starts from: a source's weights, or fresh ones."""

from dataclasses import dataclass, replace
from typing import Literal

import torch

from graft.common.seeds import derive
from graft.data.task import Task
from graft.networks.build import adapt_architecture, architecture_for, build_network
from graft.networks.classifier import Classifier
from graft.networks.reference import ModelReference
from graft.networks.saved import Model
from graft.networks.settings import Network
from graft.training.fitting import start_head, train_network
from graft.training.loop import Log
from graft.training.penalty import Pull, pull_towards
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.carry import Carried, carry, restandardise_head, same_covariates
from graft.transfer.settings import Finetune


@dataclass(frozen=True)
class Start:
    """A network before training on the target, and what its training has to know about it.

    Attributes:
        network: with the weights that training starts from.
        architecture: the arguments of `build_network`.
        pull: the penalty on the distance from the source's weights; None from scratch.
        carried: the tensors that come from the source; None from scratch.
        head: `pretrained` comes from the source. The others are untrained: `new` keeps its random
            weights, and `probe` is to become a linear probe.
    """

    network: Classifier
    architecture: dict
    pull: Pull | None = None
    carried: Carried | None = None
    head: Literal["pretrained", "new", "probe"] = "new"


def start_from_scratch(network: Network, task: Task, seed: int, device: torch.device) -> Start:
    """Build a network with fresh weights, as the parameters describe it.

    Args:
        network: the parameters.
        task: whose images, classes and covariates it takes.
        seed: of the weights.
        device: where the network is placed.

    Raises:
        InputError: if the network does not take the images of the task.
    """
    architecture = architecture_for(network, task.domain, task.encoding.width)
    fresh = build_network(**architecture, seed=derive(seed, "network"))
    return Start(fresh.to(device), architecture)


def start_from_body(
    network: Network, body: ModelReference | None, task: Task, seed: int, device: torch.device
) -> Start:
    """Build a network with fresh weights, or with those of a body that learned without labels.

    Args:
        network: the parameters.
        body: a model of that network, whose head is not used.
        task: whose images, classes and covariates the network takes.
        seed: of the fresh weights.
        device: where the network is placed.

    Raises:
        InputError: if the network does not take the images of the task, or if it is not the one
            that learned without labels.
    """
    start = start_from_scratch(network, task, seed, device)
    if body is None:
        return start
    tensors = body.load(device).networks[0].saved_tensors()
    return replace(start, carried=carry(tensors, start.network, head="new"))


def start_from_source(
    source: Model, task: Task, recipe: Finetune, weight: float, seed: int, device: torch.device
) -> Start:
    """Build the network of a source with its weights, and with its head or an untrained one.

    Args:
        source: the pretrained model.
        task: the target.
        recipe: the head and the penalty R.
        weight: λ.
        seed: of a new head.
        device: where the network is placed.

    Raises:
        InputError: if the images, classes or covariates of the target do not fit that network.
    """
    if recipe.head == "pretrained":
        same_covariates(source.encoding, task.encoding)
    architecture = adapt_architecture(source.card["architecture"], task.domain, task.encoding.width)
    network = build_network(**architecture, seed=derive(seed, "network"))
    head = "probe" if recipe.head == "auto" else recipe.head
    if recipe.head == "auto" and predicts_the_same(source, task):
        head = "pretrained"
    carried = carry(source.networks[0].saved_tensors(), network, head=head)
    if head == "pretrained":
        restandardise_head(network, source.encoding, task.encoding)
    shared = network.parameters_saved_as(carried.loaded)
    pull = pull_towards(network.to(device), shared, weight, recipe.penalty)
    return Start(network, architecture, pull, carried, head)


def predicts_the_same(source: Model, task: Task) -> bool:
    """Whether a model predicts the classes of a task, from the same covariates if any."""
    same_classes = list(source.card["classes"]) == list(task.domain.classes)
    return same_classes and source.encoding.layout == task.encoding.layout


def fit_start(
    start: Start, task: Task, plan: Plan, log: Log | None = None, show: bool = True
) -> Row:
    """Minimise L_target(θ) + λ·R(θ − θ_pretrained) in place.

    Args:
        start: the network.
        task: what it trains on and is validated on.
        plan: how to train. Its pull is replaced by that of `start`.
        log: as in `train_network`.
        show: as in `train_network`.

    Returns:
        The row of the best epoch.
    """
    if start.head == "new":
        start_head(start.network, task, plan)
    return train_network(start.network, task, replace(plan, pull=start.pull), log, show=show)
