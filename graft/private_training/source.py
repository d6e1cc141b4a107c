"""Train on a source privately, and without privacy for comparison."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from graft.common.files import whole_folder
from graft.console import say
from graft.data.domain import Domain
from graft.data.split import read_split
from graft.data.task import NO_ROWS, Task, make_task
from graft.keys.find import NO_PROTECTION, find_secret
from graft.keys.pseudonyms import PUBLISHED_KEY, keyed_sha256
from graft.networks.saved import Model, save_model
from graft.private_training.budget import plan_budget
from graft.private_training.refusals import check_private_domain
from graft.private_training.settings import Privacy
from graft.private_training.train import PrivateRun, private_plan, train_privately
from graft.training.fitting import complete_card
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.transfer.start import Start, fit_start

UNIT = "patient"


@dataclass(frozen=True)
class PrivateSource:
    """A source that can be trained on privately.

    Attributes:
        task: its training part, and its validation part if it has one.
        other_rows: of its index, of all parts but the one that is trained on.
    """

    task: Task
    other_rows: np.ndarray

    @classmethod
    def read(
        cls,
        folder: Path,
        split_file: Path,
        device: torch.device,
        memory: float,
        records: Path | None = None,
    ) -> "PrivateSource":
        """Read a source. The arguments are those of `graft.data.task.read_task`.

        Raises:
            InputError: if a file cannot be used, or if the domain cannot be trained on privately.
        """
        domain = Domain.read(folder, records)
        check_private_domain(domain)
        parts = read_split(split_file, domain.index)
        validation = parts.get("validation", NO_ROWS)
        task = make_task(domain, parts["train"], validation, device, memory=memory)
        others = [rows for part, rows in parts.items() if part != "train"]
        return cls(task, np.concatenate(others))


def train_source(
    source: PrivateSource, start: Start, plan: Plan, privacy: Privacy, folder: Path, log: Log
) -> None:
    """Train with differential privacy per patient, and write a model folder.

    The card has the guarantee, and no figure that is computed from the training part without
    noise: its digest needs the secret key.

    Args:
        source: what to train on.
        start: the network with its fresh weights.
        plan: how the network would train without privacy.
        privacy: with an ε.
        folder: gets the model.
        log: gets a row per epoch.

    Raises:
        InputError: if the key is not that of the source, or the guarantee cannot be given.
    """
    task = source.task
    key = find_secret(task.domain.name, task.domain.patient_key, privacy)
    if key == PUBLISHED_KEY:
        say(f"{plan.purpose}: the patients of {task.domain.name} are synthetic; {NO_PROTECTION}")
    budget = plan_budget(privacy, len(np.unique(task.train.patients)))
    plan = private_plan(plan, privacy.epochs, privacy.lr)
    say(
        f"{plan.purpose}: trains on {budget.patients} patients of {task.domain.name} with noise "
        f"{budget.noise_multiplier:.3g} times the clipped gradient of one, {budget.expected:g} of "
        f"them in each of {budget.steps} steps"
    )
    row, epsilon = train_privately(PrivateRun(start.network, task, plan, budget, key), log)
    guarantee = {
        "domain": task.domain.name,
        "unit": UNIT,
        "epsilon": epsilon,
        "delta": budget.delta,
    }
    card = {
        "data": {
            "domain": task.domain.name,
            "train_sha256": keyed_sha256(task.train.sha256(), key),
            "validation_sha256": None,
        },
        "parent": None,
        "scores": row,
        "privacy": [guarantee],
        "private_training": budget.describe(),
    }
    with whole_folder(folder) as partial:
        save_model(partial, [start.network], complete_card(start.architecture, task, plan, card))
    say(f"{plan.purpose}: wrote {folder}, with ε = {epsilon:.4g} and δ = {budget.delta:.3g}")


def train_without_privacy(source: PrivateSource, start: Start, plan: Plan) -> Model:
    """Train as if there were no privacy, from the same start. The result must not be written."""
    fit_start(start, source.task, replace(plan, purpose=f"{plan.purpose}/without-privacy"))
    card = {
        "architecture": start.architecture,
        "classes": source.task.domain.classes,
        "shares": [1.0],
    }
    return Model(card, [start.network.eval()])
