"""The attack on models that were trained with differential privacy."""

import pytest

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


@pytest.mark.parametrize("seed", [0, 1])
def test_it_succeeds_without_privacy_and_fails_with_it(tmp_path, monkeypatch, seed):
    monkeypatch.chdir(tmp_path)
    domain, people = noise_cohort(seed)
    overfitted = train_by_heart(domain, people, EPOCHS)
    model, guarantee = train_with_privacy(domain, people, epsilon=1.0)
    attacked = attack_model(overfitted, domain, people, 0.95, guarantee)
    assert attacked["auc"]["value"] > 0.8
    assert attacked["bound"]["broken"]  # it was not trained as it claims
    found = attack_model(model, domain, people, 0.95, guarantee)
    # Of 24 members, one above all others would exceed the bound of the rate by chance. The bound of
    # the AUC, 0.73, is more than three standard errors above 0.5.
    assert found["auc"]["value"] < found["bound"]["auc"] < 0.74
    assert not found["bound"]["broken"]
