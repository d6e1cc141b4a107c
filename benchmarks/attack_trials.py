"""Models that are trained to be attacked, and the attacks on them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.unseen import read_run
from graft.common.files import read_json, whole_file, write_json
from graft.common.seeds import derive, generator
from graft.config.parameters import Parameters
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.task import NO_ROWS, make_task
from graft.keys.pseudonyms import PUBLISHED_KEY
from graft.membership.attack import FALSE_POSITIVES, lira_scores, loss_scores
from graft.membership.patients import Patients, choose_patients
from graft.membership.rates import auc, true_positives
from graft.networks.saved import Model
from graft.private_training.budget import plan_budget
from graft.private_training.train import PrivateRun, private_plan, train_privately
from graft.statistics.scores import auroc, ranks
from graft.training.plan import Plan
from graft.transfer.start import fit_start, start_from_scratch
from stages import paths

OTHERS = 150  # patients whom a model was not trained on
SHADOW_OTHERS = 40  # of them if shadow models are trained too
REPEATS = 3  # of two folds
CONFIDENCE = 0.95
OVERFITTING = {"epochs": 200, "lr": 0.003, "transforms": 0}


@dataclass(frozen=True)
class Arm:
    """How models are trained before they are attacked.

    Attributes:
        name: of its row in the table.
        members: patients to train on.
        overfitted: whether it trains long, without transforms and without weight decay.
        epsilon: of private training, or None.
    """

    name: str
    members: int
    overfitted: bool = False
    epsilon: float | None = None


@dataclass(frozen=True)
class Trial:
    """One model of an arm, and where its figures are kept."""

    arm: Arm
    draw: int
    folder: Path
    workdir: Path
    shadows: bool = False

    @property
    def result(self) -> Path:
        """The file of its figures."""
        kind = "shadows" if self.shadows else "attack"
        name = self.arm.name.replace(" ", "").replace(",", "-").replace("ε=", "")
        return self.workdir / f"{kind}-{name}-{self.arm.members}-{self.draw}.json"


def measure(trial: Trial) -> dict[str, float]:
    """Train a model and attack it, or read what an earlier call found."""
    if trial.result.exists():
        return read_json(trial.result)
    torch.set_num_threads(1)
    parameters = read_run(trial.folder)
    domain = Domain.read(trial.folder / paths.processed(parameters.source))
    others = SHADOW_OTHERS if trial.shadows else OTHERS
    seed = derive(parameters.seed, "attacks", trial.draw)
    parts = draw_patients(domain, parameters, trial.arm.members, others, seed)
    people = choose_patients(domain, parts)
    assert people is not None, "members and others are from one site"
    model = train(trial, parameters, domain, parts["train"], seed)
    predicted = predict(model, domain, people.rows)
    figures = attack(loss_scores(predicted, people), people)
    figures["auroc"] = disease_auroc(predicted, people)
    if trial.shadows:
        without = shadow_predictions(trial, parameters, domain, people, seed)
        for count in range(2, REPEATS + 1):
            scores = lira_scores(predicted, people, without[:count, people.rows])
            of_lira = attack(scores, people)
            figures |= {f"{name} {count}": value for name, value in of_lira.items()}
    with whole_file(trial.result) as path:
        write_json(path, figures)
    return figures


def draw_patients(
    domain: Domain, parameters: Parameters, members: int, others: int, seed: int
) -> dict[str, np.ndarray]:
    """Draw members ("train") and others ("test") outside the external site."""
    index = domain.index
    external = parameters.domains[parameters.source].split.external
    patients = index["patient"][index["site"] != external].unique()
    drawn = generator(seed, "members").permutation(patients)[: members + others]
    return {
        "train": np.flatnonzero(index["patient"].isin(drawn[:members])),
        "test": np.flatnonzero(index["patient"].isin(drawn[members:])),
    }


def train(
    trial: Trial, parameters: Parameters, domain: Domain, rows: np.ndarray, seed: int
) -> Model:
    """Train from scratch on some lesions as the arm says.

    The noise of private training follows from a published key, as the patients are synthetic.
    """
    arm = trial.arm
    device = torch.device("cpu")
    task = make_task(domain, rows, NO_ROWS, device, memory=0.5)
    start = start_from_scratch(parameters.network, task, seed, device)
    plan = Plan(
        recipe=parameters.finetune.from_scratch(),
        training=parameters.training,
        augment=parameters.augment,
        seed=seed,
        purpose="attacks",
        checkpoints=trial.workdir / f"checkpoints-{trial.result.stem}",
    )
    if arm.overfitted:
        recipe = plan.recipe.model_copy(update=OVERFITTING)
        training = plan.training.model_copy(update={"batch": 16, "weight_decay": 0.0})
        plan = replace(plan, recipe=recipe, training=training)
    if arm.epsilon:
        privacy = parameters.privacy.model_copy(update={"epsilon": arm.epsilon})
        budget = plan_budget(privacy, arm.members)
        plan = private_plan(plan, privacy.epochs, privacy.lr)
        private = PrivateRun(start.network, task, plan, budget, PUBLISHED_KEY)
        train_privately(private, lambda row: None)
    else:
        fit_start(start, task, plan, show=False)
    card = {"architecture": start.architecture, "classes": domain.classes, "shares": [1.0]}
    return Model(card, [start.network.eval()])


def predict(model: Model, domain: Domain, rows: np.ndarray) -> np.ndarray:
    """The probabilities (N, C) of some lesions."""
    return model.predict(ImageRows(domain.images, rows))


def attack(scores: np.ndarray, people: Patients) -> dict[str, float]:
    """The AUC and the rate of true positives of some scores (P,)."""
    members, others = scores[people.is_member], scores[~people.is_member]
    found = auc(members, others, CONFIDENCE)
    positives, _, _ = true_positives(members, others, FALSE_POSITIVES, CONFIDENCE)
    return {"auc": found["value"], "tpr": positives["value"]}


def disease_auroc(predicted: np.ndarray, people: Patients) -> float:
    """The AUROC of the diagnosis of patients whom the model was not trained on."""
    of_others = ~people.is_member[people.patients]
    is_diseased = people.labels[of_others] == 1
    weights = np.ones((1, int(of_others.sum())))
    return float(auroc(*ranks(is_diseased, predicted[of_others, 1], weights))[0])


def shadow_predictions(
    trial: Trial, parameters: Parameters, domain: Domain, people: Patients, seed: int
) -> np.ndarray:
    """What models of two folds predict out of fold: (REPEATS, lesions of the domain, C)."""
    found = np.full((REPEATS, len(domain.index), len(domain.classes)), np.nan)
    count = len(people.is_member)
    for repeat in range(REPEATS):
        order = generator(seed, "folds", repeat).permutation(count)
        is_first = np.isin(people.patients, order[: count // 2])
        for inside in (is_first, ~is_first):
            own_seed = derive(seed, "shadow", repeat, int(inside[0]))
            model = train(trial, parameters, domain, people.rows[inside], own_seed)
            outside = people.rows[~inside]
            found[repeat, outside] = predict(model, domain, outside)
    return found
