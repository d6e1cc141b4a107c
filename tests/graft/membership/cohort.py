"""Patients with images of noise and random labels: all that a model learns is by heart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from graft.config.parameters import load_parameters
from graft.data.domain import Domain
from graft.data.task import NO_ROWS, make_task
from graft.membership.patients import Patients, choose_patients
from graft.networks.saved import Model
from graft.networks.settings import Network
from graft.training.plan import Plan
from graft.transfer.start import Start, fit_start, start_from_scratch

PARAMETERS = load_parameters(Path(__file__).parents[3] / "params.yaml")
CLASSES = ["benign", "malignant"]
MEMBERS, OTHERS = 24, 60


def noise_cohort(seed: int = 0) -> tuple[Domain, Patients]:
    """A domain with two lesions of each patient, and who of them is a member."""
    random = np.random.default_rng(seed)
    patients = np.repeat([f"p{i:02}" for i in range(MEMBERS + OTHERS)], 2)
    count = len(patients)
    index = pd.DataFrame(
        {
            "sample": np.arange(count),
            "patient": patients,
            "label": np.array(CLASSES)[random.integers(2, size=count)],
            "site": "site-a",
        }
    )
    images = random.random((count, 1, 8, 8)).astype(np.float16)
    domain = Domain("lung", images, index, CLASSES, {})
    rows = np.arange(count)
    parts = {"train": rows[: 2 * MEMBERS], "test": rows[2 * MEMBERS :]}
    people = choose_patients(domain, parts)
    assert people is not None
    return domain, people


def start_of(domain: Domain, people: Patients) -> tuple[Start, Plan, object]:
    """A fresh network, a plan without transforms, and the task of the members."""
    rows = people.rows[people.is_member[people.patients]]
    device = torch.device("cpu")
    task = make_task(domain, rows, NO_ROWS, device, memory=0.5)
    start = start_from_scratch(Network(name="resnet", width=8), task, 0, device)
    recipe = PARAMETERS.pretrain.model_copy(update={"epochs": 1, "transforms": 0})
    training = PARAMETERS.training.model_copy(update={"batch": 16})
    plan = Plan(recipe, training, PARAMETERS.augment, 0, "attack-test", Path("checkpoints"))
    return start, plan, task


def train_by_heart(domain: Domain, people: Patients, epochs: int) -> Model:
    """Train on the members without transforms."""
    start, plan, task = start_of(domain, people)
    recipe = plan.recipe.model_copy(update={"epochs": epochs})
    fit_start(start, task, replace(plan, recipe=recipe), show=False)
    return as_model(start)


def as_model(start: Start, **card: object) -> Model:
    """A trained network as a model that was read."""
    described = {"architecture": start.architecture, "classes": CLASSES, "shares": [1.0], **card}
    return Model(described, [start.network.eval()])
