"""What averaging gained: by hand, and against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from graft.common.documents import check_schema, clean
from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.evaluation import ensembles
from graft.evaluation.ensembles import (
    MEAN,
    average_members,
    entry_of,
    judge_ensembles,
    predict_by_members,
)
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.networks.build import build_network
from graft.networks.saved import Model
from graft.statistics.cases import Assessment, Cases, assess
from tests.small_target import CLASSES, PATCH, SHAPE


def make_cases(labels: list[int], resamples: int = 200) -> Cases:
    """Cases of one lesion per patient."""
    index = pd.DataFrame(
        {
            "sample": range(len(labels)),
            "patient": [f"p{number}" for number in range(len(labels))],
            "label": np.array(CLASSES)[labels],
        }
    )
    return Cases.of(index, CLASSES, resamples, generator(0, "test"))


def of_disease(*disease: float) -> np.ndarray:
    """Probabilities (N, 2) with these of the disease."""
    return np.stack([1 - np.array(disease), disease], 1)


def test_two_members_that_are_wrong_about_different_pairs():
    cases = {"test": make_cases([0, 0, 1, 1])}
    first = of_disease(0.7, 0.1, 0.6, 0.9)  # ranks 3 of 4 pairs correctly
    second = of_disease(0.1, 0.5, 0.8, 0.4)  # also 3 of 4
    # Their mean is 0.4, 0.3, 0.7, 0.65: all 4 pairs.
    averaged = average_members(cases, {"test": [first, second]})
    assert averaged.members == 2
    assert averaged.over == MEAN
    found = entry_of(averaged, 0.95)
    assert found["test"]["auroc"]["value"] == 1
    assert found["test"]["gain"]["value"] == 0.25
    assert found["external"] is None


def test_scores_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 60)
    members = [of_disease(*random.random(60)) for _ in range(3)]
    cases = {"test": make_cases(labels.tolist())}
    averaged = average_members(cases, {"test": members})
    together = roc_auc_score(labels, np.mean(members, axis=0)[:, 1])
    apart = np.mean([roc_auc_score(labels, member[:, 1]) for member in members])
    assert averaged.scores["test"].point["auroc"] == pytest.approx(together)
    assert averaged.reference["test"].point["auroc"] == pytest.approx(apart)


def test_one_member_gains_nothing():
    cases = {"test": make_cases([0, 1, 0, 1])}
    averaged = average_members(cases, {"test": [of_disease(0.3, 0.4, 0.5, 0.9)]})
    gain = entry_of(averaged, 0.95)["test"]["gain"]
    assert (gain["value"], gain["low"], gain["high"]) == (0, 0, 0)


@pytest.fixture
def target() -> EvaluatedDomain:
    """A domain with 8 test patients and 4 external ones."""
    labels = np.arange(12) % 2
    index = pd.DataFrame({"sample": range(12), "patient": list("abcdefghijkl")})
    index["label"] = np.array(CLASSES)[labels]
    images = np.random.default_rng(0).random((12, 1, *PATCH))
    domain = Domain("liver", images, index, CLASSES, {})
    rows = {"test": np.arange(8), "external": np.arange(8, 12)}
    cases = {}
    for part, here in rows.items():
        cases[part] = Cases.of(index.iloc[here], CLASSES, 50, generator(0, part))
    return EvaluatedDomain(domain, rows, cases)


@pytest.fixture
def deep() -> Model:
    networks = [build_network(**SHAPE, seed=seed).eval() for seed in (1, 2, 3)]
    return Model({"architecture": SHAPE, "classes": CLASSES, "shares": [1 / 3] * 3}, networks)


def test_the_mean_of_the_members_is_what_their_model_predicts(target, deep):
    found = predict_by_members(target, deep)
    assert list(found) == ["test", "external"]
    for part, members in found.items():
        together = deep.predict(target.domain.images[target.rows[part]])
        assert np.mean(members, axis=0) == pytest.approx(together, abs=1e-6)


def models_of(target: EvaluatedDomain, **noise: float) -> dict[str, Assessment]:
    """Models whose probabilities are the labels with noise."""
    found = {}
    for name, amount in noise.items():
        probabilities = {}
        for part, cases in target.cases.items():
            random = np.random.default_rng(len(name))
            disease = cases.labels + amount * random.normal(size=len(cases.labels))
            probabilities[part] = of_disease(*expit(disease))
        found[name] = assess(target.cases, probabilities)
    return found


def test_the_block_has_the_same_keys_with_and_without_a_deep_ensemble(target, deep):
    models = models_of(target, regularized=5.0, bagging=0.0, boosting=1.0)
    members = {"bagging": 5, "boosting": 5}
    scratch = [of_disease(*np.linspace(0, 1, 8)), of_disease(*np.linspace(1, 0, 8))]
    full = clean(judge_ensembles(target, models, members, deep, scratch, 0.95))
    check_schema(full, ensembles.SCHEMA)
    gained = 1 - models["regularized"].parts["test"].point["auroc"]
    assert full["bagging"]["test"]["gain"]["value"] == pytest.approx(gained, abs=1e-6)
    assert full["bagging"]["over"] == "regularized"
    assert full["deep"]["members"] == 3
    assert full["deep_scratch"]["external"] is None
    without = clean(judge_ensembles(target, models, members, None, (), 0.95))
    check_schema(without, ensembles.SCHEMA)
    assert without["bagging"] == full["bagging"]
    assert without["deep"] is without["deep_scratch"] is None
