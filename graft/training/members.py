"""The members of a bag, which train independently of each other and so in parallel."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from graft.common.parallel import run_parallel
from graft.console import counting
from graft.data.memory import share_for_each
from graft.data.reference import DomainReference
from graft.data.task import make_task
from graft.networks.device import use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.training.ensemble import bagging_weights
from graft.training.fitting import train_network
from graft.training.plan import Plan


@dataclass(frozen=True)
class Bag:
    """What the members of a bag have in common, small enough to be sent to another process.

    Attributes:
        parent: the folder of the model whose weights and encoding the members start with.
        domain: what they train on.
        train: its rows that they train on.
        validation: its rows that they are validated on.
        device: where they train.
        plan: how they train.
    """

    parent: Path
    domain: DomainReference
    train: np.ndarray
    validation: np.ndarray
    device: torch.device
    plan: Plan


def plan_of_member(plan: Plan, k: int) -> Plan:
    """How member k of an ensemble trains: with random draws of its own."""
    return replace(plan, purpose=f"{plan.purpose}/{k}")


def train_members(bag: Bag, members: int) -> None:
    """Train the members in parallel, and leave each in the checkpoint of its last epoch.

    `train_network` with the same arguments then reads the member from its checkpoint.
    """
    with counting(bag.plan.purpose, members, "member") as show:
        train = functools.partial(_train_member, bag)
        run_parallel(train, range(members), lambda k: show(f"member {k}"))


def _train_member(bag: Bag, k: int) -> None:
    use_deterministic_algorithms()
    parent = load_model(bag.parent, bag.device)
    (network,) = parent.networks
    memory = share_for_each(bag.plan.training.memory, bag.device)
    domain = bag.domain.read()
    task = make_task(domain, bag.train, bag.validation, bag.device, parent.encoding, memory)
    weights = bagging_weights(task, bag.plan.seed, k)
    train_network(network, task, plan_of_member(bag.plan, k), weights=weights, show=False)
