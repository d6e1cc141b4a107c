"""A network for the target: grafted from a source and pulled towards it, or drawn afresh; and its training."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from graft.common.seeds import derive
from graft.data.task import Task
from graft.networks.build import adapt_architecture, architecture_for, build_network
from graft.networks.saved import Model
from graft.networks.settings import Network
from graft.training.fitting import start_head, train_network
from graft.training.loop import Plan, Row
from graft.training.penalty import Pull, pull_towards
from graft.transfer.carry import Carried, carry, same_covariates
from graft.transfer.settings import Finetune


@dataclass(frozen=True)
class Start:
    """An untrained network of the target, with what training has to know of where it came from."""

    network: nn.Module
    architecture: dict  # the arguments of graft.networks.build
    pull: Pull | None = None  # towards the source's weights
    carried: Carried | None = None
    new_head: bool = True


def start_from_scratch(network: Network, task: Task, seed: int, device: torch.device) -> Start:
    """A network with fresh weights, as params.yaml describes it."""
    architecture = architecture_for(network, task.domain, task.encoding.width)
    return Start(
        build_network(**architecture, seed=derive(seed, "network")).to(device), architecture
    )


def start_from_source(
    source: Model, task: Task, recipe: Finetune, weight: float, seed: int, device: torch.device
) -> Start:
    """The network of a source with its weights, a new head where the recipe says so, and λ = `weight`.

    Raises InputError where the target's images, classes or covariates do not fit that network.
    """
    if recipe.head == "pretrained":
        same_covariates(source.encoding, task.encoding)
    architecture = adapt_architecture(source.card["architecture"], task.domain, task.encoding.width)
    network = build_network(**architecture, seed=derive(seed, "network"))
    carried = carry(
        source.networks[0].state_dict(), network, architecture["name"], head=recipe.head
    )
    pull = pull_towards(network.to(device), carried.loaded, weight, recipe.penalty)
    return Start(network, architecture, pull, carried, recipe.head == "new")


def fit_start(
    start: Start, task: Task, plan: Plan, log: Callable[[Row], None] | None = None
) -> Row:
    """Minimise L_target(θ) + λ·R(θ − θ_pretrained) in place, by a plan with the pull of `start`; returns the best epoch."""
    if start.new_head:
        start_head(start.network, task, plan)
    return train_network(start.network, task, plan, log)
