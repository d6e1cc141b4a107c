"""What averaging gained: by hand, and against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from graft.common.documents import check_schema, clean
from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.evaluation import ensembles
from graft.evaluation.ensembles import MEAN, average_members, ensembles_block, predict_by_members
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.networks.build import build_network
from graft.networks.saved import Model
from graft.statistics.cases import Cases
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
    found = ensembles_block({"deep": averaged}, 0.95)["deep"]
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
    gain = ensembles_block({"deep": averaged}, 0.95)["deep"]["test"]["gain"]
    assert (gain["value"], gain["low"], gain["high"]) == (0, 0, 0)


def test_the_mean_of_the_members_is_what_their_model_predicts():
    labels = np.arange(8) % 2
    index = pd.DataFrame({"sample": range(8), "patient": list("abcdefgh")})
    index["label"] = np.array(CLASSES)[labels]
    images = np.random.default_rng(0).random((8, 1, *PATCH))
    domain = Domain("liver", images, index, CLASSES, {})
    rows = {"test": np.arange(4), "external": np.arange(4, 8)}
    target = EvaluatedDomain(domain, rows, {})
    networks = [build_network(**SHAPE, seed=seed).eval() for seed in (1, 2, 3)]
    card = {"architecture": SHAPE, "classes": CLASSES, "shares": [1 / 3] * 3}
    model = Model(card, networks)
    found = predict_by_members(target, model)
    assert list(found) == ["test", "external"]
    for part, members in found.items():
        together = model.predict(images[rows[part]])
        assert np.mean(members, axis=0) == pytest.approx(together, abs=1e-6)


def test_the_block_fits_its_schema():
    cases = {"test": make_cases([0, 0, 1, 1]), "external": make_cases([0, 1])}
    members = [of_disease(0.7, 0.1, 0.6, 0.9), of_disease(0.1, 0.5, 0.8, 0.4)]
    predictions = {"test": members, "external": [member[1:3] for member in members]}
    averaged = average_members(cases, predictions)
    block = {"bagging": averaged, "boosting": averaged, "deep": averaged, "deep_scratch": None}
    check_schema(clean(ensembles_block(block, 0.95)), ensembles.SCHEMA)
