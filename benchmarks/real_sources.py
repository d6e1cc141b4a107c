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
from graft.common.seeds import derive
from graft.config.parameters import Parameters, load_parameters
from graft.data.domain import Domain
from graft.data.folds import random_orders
from graft.data.reference import DomainReference
from graft.data.split import write_split
from graft.data.task import read_task
from graft.multitask.train import TaskTraining
from graft.networks.build import architecture_for, build_network
from graft.networks.device import use_deterministic_algorithms
from graft.networks.reference import ModelReference
from graft.selfsupervised.images import take_images
from graft.selfsupervised.saved import save_body
from graft.selfsupervised.train import plan_contrast, train_without_labels
from graft.training.checkpoint import CODE, key_digest
from graft.training.fitting import save_trained
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import fit_start, start_from_body

VALIDATION = 0.15  # share of a source's patients
EPOCHS = 40  # at most
CONTRAST_EPOCHS = 100  # of a step per 64 images


@dataclass(frozen=True)
class SourcePlan:
    """A source network to train.

    Attributes:
        domain: that it trains on.
        parts: (N,), "train", "validation", which stops the training, or "test" for others.
        seed: of the training.
        contrast: whether its body first learns from the images to train on, without labels.
    """

    domain: DomainReference
    parts: np.ndarray
    seed: int
    contrast: bool = False

    def key(self, parameters: Parameters) -> str:
        """Return a digest of all that decides the network."""
        sections = (
            parameters.network,
            parameters.training,
            parameters.augment,
            parameters.pretrain,
            parameters.self_supervise,
        )
        settings = [section.model_dump() for section in sections]
        weighting = parameters.pretrain.tasks  # of several tasks
        values = [self.parts.tolist(), self.seed, self.contrast, settings, weighting]
        packages = (*CODE, "multitask", "selfsupervised", "transfer")
        return key_digest([self.domain.sha256, *values], packages)


def read_parameters() -> Parameters:
    """Read params.yaml, with EPOCHS of pretraining and of self-supervision.

    Nodules are fewer than the lesions of the phantom, so these are about as many steps as there.
    """
    parameters = load_parameters(ROOT / "params.yaml")
    pretrain = parameters.pretrain.model_copy(update={"epochs": EPOCHS})
    contrast = parameters.self_supervise.model_copy(update={"epochs": CONTRAST_EPOCHS})
    return parameters.model_copy(update={"pretrain": pretrain, "self_supervise": contrast})


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
    domain = plan.domain.read()
    body = _learn_without_labels(plan, parameters, folder) if plan.contrast else None
    begin = partial(start_from_body, parameters.network, body, seed=plan.seed)
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


def _learn_without_labels(plan: SourcePlan, parameters: Parameters, folder: Path) -> ModelReference:
    """Train a body on the images that the source trains on, as the stage `self_supervise` does."""
    key = plan.key(parameters)
    domain, settings = plan.domain.read(), parameters.self_supervise
    seen = [(domain, np.flatnonzero(plan.parts == "train"))]
    architecture = architecture_for(parameters.network, domain)
    network = build_network(**architecture, seed=derive(plan.seed, "network"))
    checkpoints = folder / "checkpoints" / f"{key}-body"
    how = plan_contrast(
        settings, parameters.training, parameters.augment, plan.seed, "self_supervise", checkpoints
    )
    samples = take_images(seen, torch.device("cpu"), parameters.training.memory)
    train_without_labels(network, samples, how, settings.temperature, _log_nothing)
    card = {"architecture": architecture, "preprocessing": domain.preprocessing}
    save_body(folder / f"{key}-body", network, seen, how, card)
    return ModelReference.to(folder / f"{key}-body")


def _log_nothing(row: Row) -> None:
    pass
