import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

from graft.conformal.quantiles import (
    CANNOT_TELL,
    answer,
    fit_quantile,
    fit_quantiles,
    nonconformity,
    predict_sets,
)

CLASSES = ["benign", "malignant"]


@pytest.mark.parametrize(
    ("count", "miscoverage", "rank"),
    [
        (9, 0.1, 9),  # ⌈10 · 0.9⌉
        (10, 0.1, 10),  # ⌈9.9⌉
        (19, 0.1, 18),  # 20 · 0.9 = 18 exactly, although its float is not below
        (28, 0.1, 27),  # ⌈26.1⌉
        (4, 0.2, 4),
        (99, 0.05, 95),
    ],
)
def test_the_quantile_is_the_score_of_this_rank(count, miscoverage, rank):
    scores = np.random.default_rng(0).permutation(count) / 1000  # 0.000, 0.001, ...
    assert fit_quantile(scores, miscoverage) == (rank - 1) / 1000


@pytest.mark.parametrize(("count", "miscoverage"), [(8, 0.1), (3, 0.2), (18, 0.05), (0, 0.5)])
def test_fewer_cases_than_one_over_alpha_less_one_have_no_quantile(count, miscoverage):
    assert fit_quantile(np.full(count, 0.5), miscoverage) is None


def test_each_class_has_the_quantile_of_its_own_cases():
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    disease = np.array([0.1, 0.2, 0.6, 0.9, 0.7, 0.4, 0.8])
    found = fit_quantiles(labels, two_classes(disease), tuple(range(7)), CLASSES, 0.25)
    # Benign scores 0.1, 0.2, 0.6: rank ⌈4 · 0.75⌉ = 3. Malignant 0.1, 0.3, 0.6, 0.2: rank 4.
    assert found.quantiles == {"benign": 0.6, "malignant": 0.6}
    assert found.cases == {"benign": 3, "malignant": 4}
    assert found.fitted_on == (0, 1, 2, 3, 4, 5, 6)


def test_a_set_has_the_classes_up_to_their_quantiles():
    disease = np.array([0.3, 0.4, 0.5, 0.9])
    kept = predict_sets(two_classes(disease), {"benign": 0.4, "malignant": 0.5})
    assert kept.tolist() == [[True, False], [True, False], [False, True], [False, True]]
    answers = [answer(row, CLASSES) for row in predict_sets(two_classes(disease), wide())]
    assert answers == ["benign", CANNOT_TELL, CANNOT_TELL, CANNOT_TELL]
    narrow = predict_sets(two_classes(np.array([0.45])), {"benign": 0.2, "malignant": 0.2})
    assert not narrow.any()
    assert answer(narrow[0], CLASSES) == CANNOT_TELL


def wide() -> dict:
    return {"benign": None, "malignant": 0.6}


@pytest.mark.filterwarnings("ignore:WARNING. your conformalization dataset has less labels")
def test_quantiles_and_sets_are_those_of_mapie_within_each_class():
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 120)
    fitted = random.dirichlet(np.ones(3), 120).round(6)
    new = random.dirichlet(np.ones(3), 50).round(6)
    names = ["a", "b", "c"]
    found = fit_quantiles(labels, fitted, tuple(range(120)), names, 0.2)
    kept = predict_sets(new, found.quantiles)
    for code in range(3):
        of_class = labels == code
        oracle = SplitConformalClassifier(
            Known().fit(), confidence_level=0.8, conformity_score="lac", prefit=True
        )
        oracle.conformalize(fitted[of_class], labels[of_class])
        _, sets = oracle.predict_set(new)
        assert np.array_equal(kept[:, code], sets[:, code, 0])


class Known(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are its probabilities."""

    def fit(self) -> "Known":
        self.classes_ = np.arange(3)
        self.fitted_ = True
        return self

    def predict_proba(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities

    def predict(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities.argmax(1)


def test_sets_have_the_true_class_of_new_cases_as_often_as_promised():
    random = np.random.default_rng(2)
    covered = []
    for _ in range(400):
        scores = random.random(41)
        quantile = fit_quantile(scores[:-1], 0.1)
        covered.append(scores[-1] <= quantile)
    # ⌈41 · 0.9⌉ / 41 = 0.902, with a standard error of 0.015
    assert 0.86 <= np.mean(covered) <= 0.94


def test_scores_are_rounded_as_probabilities_are():
    assert nonconformity(np.array([[0.1 + 0.2, 0.7]])).tolist() == [[0.7, 0.3]]


def two_classes(disease: np.ndarray) -> np.ndarray:
    return np.stack([1 - disease, disease], axis=1)
