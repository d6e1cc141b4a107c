"""Source networks on some patients of a domain, each trained once and kept."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.clone import ROOT
from graft.common.files import whole_folder
from graft.common.parallel import run_parallel
from graft.config.parameters import Parameters, load_parameters
from graft.data.domain import Domain
from graft.data.folds import random_orders
from graft.data.reference import DomainReference
from graft.data.split import write_split
from graft.data.task import read_task
from graft.multitask.train import TaskTraining
from graft.networks.device import use_deterministic_algorithms
from graft.networks.reference import ModelReference
from graft.training.checkpoint import CODE, key_digest
from graft.training.fitting import save_trained
from graft.training.plan import Plan
from graft.transfer.start import fit_start, start_from_scratch

VALIDATION = 0.15  # share of a source's patients
EPOCHS = 40  # at most; half of the nodules are a third of the phantom's lesions


@dataclass(frozen=True)
class SourcePlan:
    """A source network to train.

    Attributes:
        domain: that it trains on.
        parts: (N,), "train", "validation", which stops the training, or "test" for others.
        seed: of the training.
    """

    domain: DomainReference
    parts: np.ndarray
    seed: int

    def key(self, parameters: Parameters) -> str:
        """Return a digest of all that decides the network."""
        sections = (
            parameters.network,
            parameters.training,
            parameters.augment,
            parameters.pretrain,
        )
        settings = [section.model_dump() for section in sections]
        return key_digest(
            [self.domain.sha256, self.parts.tolist(), self.seed, settings], (*CODE, "transfer")
        )


def read_parameters() -> Parameters:
    """Read params.yaml, with EPOCHS of pretraining: about as many steps as on the phantom."""
    parameters = load_parameters(ROOT / "params.yaml")
    pretrain = parameters.pretrain.model_copy(update={"epochs": EPOCHS})
    return parameters.model_copy(update={"pretrain": pretrain})


def source_parts(domain: Domain, is_source: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw VALIDATION of the source's patients of each class to validate: the part of each row.

    Args:
        domain: N lesions.
        is_source: (N,) of bool. No training sees the others, whose part is "test".
        random: draws the patients.
    """
    validating: set[str] = set()
    for order in random_orders(domain.index[is_source], domain.classes, random):
        validating |= set(order[: round(VALIDATION * len(order))])
    validates = domain.index["patient"].isin(validating).to_numpy()
    return np.where(~is_source, "test", np.where(validates, "validation", "train"))


def train_sources(
    plans: list[SourcePlan], parameters: Parameters, folder: Path
) -> list[ModelReference]:
    """Train the sources that are not in the folder, in parallel, and refer to all of them."""
    found = {plan.key(parameters): plan for plan in plans}
    missing = [plan for key, plan in found.items() if not (folder / key).exists()]
    run_parallel(partial(_train_source, parameters=parameters, folder=folder), missing)
    return [ModelReference.to(folder / plan.key(parameters)) for plan in plans]


def _train_source(plan: SourcePlan, parameters: Parameters, folder: Path) -> None:
    use_deterministic_algorithms()
    key = plan.key(parameters)
    device = torch.device("cpu")
    how = Plan(
        recipe=parameters.pretrain,
        training=parameters.training,
        augment=parameters.augment,
        seed=plan.seed,
        purpose="pretrain",
        checkpoints=folder / "checkpoints" / key,
    )
    begin = partial(start_from_scratch, parameters.network, seed=plan.seed)
    domain = plan.domain.read()
    split = folder / "splits" / f"{key}.csv"
    split.parent.mkdir(parents=True, exist_ok=True)
    write_split(split, pd.Series(plan.parts), domain.index)
    if domain.tasks is not None:
        weighting = parameters.pretrain.tasks
        training = TaskTraining(plan.domain, split, begin, how, weighting, device)
        with whole_folder(folder / key) as partial_folder:
            training.train(partial_folder)
        training.clear()
        return
    task = read_task(plan.domain.folder, split, device, memory=parameters.training.memory)
    start = begin(task=task, device=device)
    best = fit_start(start, task, how, show=False)
    card = {"parent": None, "scores": best}
    save_trained(folder / key, [start.network], start.architecture, task, how, card)
