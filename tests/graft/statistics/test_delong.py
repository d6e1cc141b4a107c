"""DeLong's test against published numbers, slow loops and the bootstrap."""

import numpy as np
import pytest

from graft.common.seeds import generator
from graft.statistics.bootstrap import draw_patients, resample
from graft.statistics.delong import delong, placements, standard_error
from graft.statistics.scores import auroc, ranks

# Albumin, total protein, K-G score and whether surgery helped, of 43 women with ovarian cancer.
# They are the complete cases of DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44.
# The SAS/STAT User's Guide prints the results in its chapter on PROC LOGISTIC, in the example
# "Comparing Receiver Operating Characteristic Curves".
WOMEN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0
2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1
4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1
3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""
TABLE = np.array(WOMEN.split(), float).reshape(43, 4)
HELPED = TABLE[:, 3] == 1
ONE_EACH = np.arange(43)
MARKERS = {"albumin": TABLE[:, 0], "protein": TABLE[:, 1], "score": 10 - TABLE[:, 2]}


def lesions(seed=0, patients=40):
    """Make labels, two readings and patients of lesions, one to three similar ones per patient."""
    random = np.random.default_rng(seed)
    counts = random.integers(1, 4, patients)
    patient = np.repeat(np.arange(patients), counts)
    patient_is_diseased = np.arange(patients) % 2 == 1
    label_differs = random.random(len(patient)) < 0.2
    positive = patient_is_diseased[patient] ^ label_differs
    common = random.normal(0, 1, patients)[patient]
    good = positive * 1.5 + common + random.normal(0, 1, len(patient))
    poor = positive * 0.7 + common + random.normal(0, 1, len(patient))
    return positive, good.round(1), poor.round(1), patient


@pytest.mark.parametrize(
    ("marker", "area", "error"),
    [("albumin", 0.7366, 0.0927), ("score", 0.7258, 0.1028), ("protein", 0.6478, 0.1000)],
)
def test_areas_and_their_errors_are_as_published(marker, area, error):
    placed = placements(HELPED, MARKERS[marker])
    assert placed[HELPED].mean() == pytest.approx(area, abs=5e-5)
    assert placed[~HELPED].mean() == pytest.approx(area, abs=5e-5)
    assert standard_error(HELPED, placed, ONE_EACH) == pytest.approx(error, abs=5e-5)


@pytest.mark.parametrize(
    ("marker", "low", "high", "p"),
    [("albumin", -0.1761, 0.1976, 0.9102), ("protein", -0.2830, 0.1271, 0.4561)],
)
def test_differences_from_the_score_are_as_published(marker, low, high, p):
    found = delong(HELPED, MARKERS[marker], MARKERS["score"], ONE_EACH, 0.95)
    assert found["low"] == pytest.approx(low, abs=6e-5)
    assert found["high"] == pytest.approx(high, abs=6e-5)
    assert found["p"] == pytest.approx(p, abs=6e-5)


def resampled_auroc(positive, values, draws, patient):
    def measure(weights):
        return {"auroc": auroc(*ranks(positive, values, weights))}

    return resample(measure, draws, patient)["auroc"]


def test_the_paired_bootstrap_finds_the_same_error():
    draws = draw_patients(43, 4000, generator(0, "women"))
    protein = resampled_auroc(HELPED, MARKERS["protein"], draws, ONE_EACH)
    score = resampled_auroc(HELPED, MARKERS["score"], draws, ONE_EACH)
    difference = protein - score
    assert difference.std() == pytest.approx(0.1046, rel=0.06)


def test_placements_by_hand():
    positive = np.array([True, True, False, False, False])
    values = np.array([0.6, 0.2, 0.1, 0.2, 0.7])
    # A positive is placed by the share of negatives below it, a negative by the share of
    # positives above it. A tie counts half.
    expected = [2 / 3, 1.5 / 3, 1, 1.5 / 2, 0]
    assert placements(positive, values) == pytest.approx(expected)


def test_the_error_by_patient_agrees_with_a_loop_over_the_patients():
    positive, good, poor, patient = lesions()
    placed = placements(positive, good) - placements(positive, poor)
    m = positive.sum()
    n = (~positive).sum()
    deviation = placed - placed[positive].mean()
    positive_sums = []
    negative_sums = []
    products = []
    for number in range(40):
        is_theirs = patient == number
        positives = deviation[is_theirs & positive]
        negatives = deviation[is_theirs & ~positive]
        if len(positives):
            positive_sums.append(positives.sum())
        if len(negatives):
            negative_sums.append(negatives.sum())
        products.append(positives.sum() * negatives.sum())

    def variance_of_sum(sums):
        return len(sums) / (len(sums) - 1) * np.square(sums).sum()

    positive_variance = variance_of_sum(positive_sums) / m**2
    negative_variance = variance_of_sum(negative_sums) / n**2
    covariance = 40 / 39 * sum(products) / (m * n)
    variance = positive_variance + negative_variance + 2 * covariance
    assert standard_error(positive, placed, patient) == pytest.approx(np.sqrt(variance))


def test_copies_of_a_patients_lesions_change_nothing():
    positive, good, poor, patient = lesions(1)
    once = delong(positive, good, poor, patient, 0.95)
    twice = [np.tile(column, 2) for column in (positive, good, poor)]
    same_patients = delong(*twice, np.tile(patient, 2), 0.95)
    assert same_patients == pytest.approx(once)
    # Counted as lesions of other patients, the copies narrow the interval.
    independent = delong(*twice, np.arange(2 * len(patient)), 0.95)
    width = same_patients["high"] - same_patients["low"]
    assert independent["high"] - independent["low"] < 0.8 * width


def test_the_error_by_patient_is_that_of_the_bootstrap_by_patient():
    positive, good, _, patient = lesions(2, 200)
    draws = draw_patients(200, 2000, generator(1, "lesions"))
    values = resampled_auroc(positive, good, draws, patient)
    error = standard_error(positive, placements(positive, good), patient)
    assert error == pytest.approx(values.std(), rel=0.06)


def test_exchanging_the_models_changes_the_sign():
    positive, good, poor, patient = lesions(3)
    forward = delong(positive, good, poor, patient, 0.9)
    backward = delong(positive, poor, good, patient, 0.9)
    assert forward["p"] == pytest.approx(backward["p"])
    assert forward["low"] == pytest.approx(-backward["high"])


def test_equal_models_have_no_difference():
    positive, good, _, patient = lesions(4)
    found = delong(positive, good, good, patient, 0.95)
    assert found == {"low": 0, "high": 0, "p": 1}


def test_without_two_diseased_patients_the_test_is_undefined():
    positive, good, poor, patient = lesions(4)
    nobody = np.zeros(len(positive), bool)
    first_patient = patient[positive][0]
    one_patient = positive & (patient == first_patient)
    for diseased in (nobody, one_patient):
        found = delong(diseased, good, poor, patient, 0.95)
        assert np.isnan(list(found.values())).all()
