"""The attack on models that were trained with differential privacy."""

import numpy as np

from graft.keys.pseudonyms import PUBLISHED_KEY
from graft.membership.attack import attack_model
from graft.membership.bound import Guarantee
from graft.networks.saved import Model
from graft.private_training.budget import plan_budget
from graft.private_training.train import PrivateRun, private_plan, train_privately
from tests.graft.membership.cohort import (
    MEMBERS,
    PARAMETERS,
    as_model,
    noise_cohort,
    start_of,
    train_by_heart,
)

EPOCHS = 10


def train_with_privacy(domain, people, epsilon: float) -> tuple[Model, Guarantee]:
    start, plan, task = start_of(domain, people)
    privacy = PARAMETERS.privacy.model_copy(
        update={"epsilon": epsilon, "epochs": EPOCHS, "lr": plan.recipe.lr}
    )
    budget = plan_budget(privacy, MEMBERS)
    plan = private_plan(plan, privacy.epochs, privacy.lr)
    run = PrivateRun(start.network, task, plan, budget, PUBLISHED_KEY)
    _, spent = train_privately(run, lambda row: None)
    return as_model(start), Guarantee(spent, budget.delta)


def test_it_succeeds_without_privacy_and_fails_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    aucs = []
    for seed in range(3):  # the noise of a private training changes with its code
        domain, people = noise_cohort(seed)
        overfitted = train_by_heart(domain, people, EPOCHS)
        model, guarantee = train_with_privacy(domain, people, epsilon=1.0)
        attacked = attack_model(overfitted, domain, people, 0.95, guarantee)
        assert attacked["auc"]["value"] > 0.8
        assert attacked["bound"]["broken"]  # it was not trained as it claims
        found = attack_model(model, domain, people, 0.95, guarantee)
        assert not found["bound"]["broken"]
        aucs.append(found["auc"]["value"])
    assert np.mean(aucs) < 0.65  # standard error 0.04; the guarantee allows 0.73
