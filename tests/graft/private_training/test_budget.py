"""The noise of a guarantee, against Opacus's accountant and a formula for full batches."""

import sys
from math import log

import pytest
from opacus.accountants import RDPAccountant

from graft.common.files import InputError
from graft.private_training.budget import Budget, make_accountant, plan_budget, spent
from graft.private_training.settings import Privacy

PRIVACY = Privacy(
    key_variable="GRAFT_PATIENT_KEY",
    key_file=None,
    epsilon=3.0,
    delta=None,
    clip=1.0,
    batch=50,
    epochs=10,
    lr=0.01,
)


def test_epsilon_is_the_one_of_opacus_after_the_same_steps():
    budget = Budget(200, 0.25, 40, noise_multiplier=1.5, clip=1.0, delta=1e-3)
    theirs = RDPAccountant()
    for _ in range(40):
        theirs.step(noise_multiplier=1.5, sample_rate=0.25)
    assert budget.epsilon() == theirs.get_epsilon(delta=1e-3)


def test_the_noise_is_the_least_that_keeps_to_epsilon():
    budget = plan_budget(PRIVACY.model_copy(update={"epochs": 2}), patients=200)
    assert (budget.sampling_rate, budget.steps, budget.delta) == (0.25, 8, 0.1 / 200)
    assert 2.97 < budget.epsilon() <= 3.0


def test_a_full_batch_has_the_divergence_of_the_gaussian_mechanism():
    """T steps have Rényi divergence Tα/2σ², converted as in Canonne et al. (2020), theorem 21."""
    budget = Budget(100, 1.0, 20, noise_multiplier=8.0, clip=1.0, delta=1e-3)
    orders = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))
    bounds = []
    for a in orders:
        divergence = 20 * a / (2 * 8.0**2)
        bounds.append(divergence - (log(1e-3) + log(a)) / (a - 1) + log((a - 1) / a))
    assert budget.epsilon() == pytest.approx(min(bounds), rel=1e-9)


def test_fewer_steps_cost_less_and_none_cost_nothing():
    budget = plan_budget(PRIVACY, patients=50)
    assert 0 < budget.epsilon(steps=1) < budget.epsilon(steps=5) < budget.epsilon()
    assert spent(make_accountant(), budget.delta) == 0


@pytest.mark.parametrize(("patients", "rate", "steps"), [(50, 1.0, 10), (20, 1.0, 10)])
def test_few_patients_are_all_in_each_step(patients, rate, steps):
    budget = plan_budget(PRIVACY, patients)
    assert (budget.sampling_rate, budget.steps) == (rate, steps)
    assert budget.expected == patients


def test_less_epsilon_needs_more_noise():
    noise = [
        plan_budget(PRIVACY.model_copy(update={"epsilon": epsilon}), 50).noise_multiplier
        for epsilon in (8.0, 1.0, 0.1)
    ]
    assert noise == sorted(noise)


def test_a_delta_of_one_patient_or_more_is_refused():
    with pytest.raises(InputError, match=r"^privacy.delta: got 0.005 with 200 patients .* 1 / 200"):
        plan_budget(PRIVACY.model_copy(update={"delta": 0.005}), 200)


def test_a_missing_library_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "opacus.accountants.utils", None)
    with pytest.raises(InputError, match=r"needs the library opacus.*graft\[private\]"):
        plan_budget(PRIVACY, 200)
