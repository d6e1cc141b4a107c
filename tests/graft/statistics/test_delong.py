"""DeLong's test against published numbers, slow loops and the bootstrap."""

import numpy as np
import pytest

from graft.common.seeds import generator
from graft.statistics.bootstrap import draw_patients, resample
from graft.statistics.delong import delong, placements, standard_error
from graft.statistics.scores import auroc, ranks

# Albumin, total protein, K-G score and whether surgery helped, of 43 women with ovarian cancer: the
# complete cases of DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44. The results are those
# that the SAS/STAT User's Guide prints of PROC LOGISTIC, example "Comparing Receiver Operating
# Characteristic Curves".
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
HELPED, EACH = TABLE[:, 3] == 1, np.arange(43)
MARKERS = {"albumin": TABLE[:, 0], "protein": TABLE[:, 1], "score": 10 - TABLE[:, 2]}


def lesions(seed=0, patients=40):
    """Make labels, two readings and patients of lesions, one to three similar ones per patient."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), random.integers(1, 4, patients))
    positive = (np.arange(patients) % 2 == 1)[patient] ^ (random.random(len(patient)) < 0.2)
    common = random.normal(0, 1, patients)[patient]
    one, other = (positive * gap + common + random.normal(0, 1, len(patient)) for gap in (1.5, 0.7))
    return positive, one.round(1), other.round(1), patient


@pytest.mark.parametrize(
    ("marker", "area", "error"),
    [("albumin", 0.7366, 0.0927), ("score", 0.7258, 0.1028), ("protein", 0.6478, 0.1000)],
)
def test_areas_and_their_errors_as_published(marker, area, error):
    placed = placements(HELPED, MARKERS[marker])
    assert placed[HELPED].mean() == pytest.approx(area, abs=5e-5) == placed[~HELPED].mean()
    assert standard_error(HELPED, placed, EACH) == pytest.approx(error, abs=5e-5)


@pytest.mark.parametrize(
    ("marker", "low", "high", "p"),
    [("albumin", -0.1761, 0.1976, 0.9102), ("protein", -0.2830, 0.1271, 0.4561)],
)
def test_differences_from_the_score_as_published(marker, low, high, p):
    found = delong(HELPED, MARKERS[marker], MARKERS["score"], EACH, 0.95)
    assert (found["low"], found["high"], found["p"]) == pytest.approx((low, high, p), abs=6e-5)


def test_the_paired_bootstrap_finds_the_same_error():
    draws = draw_patients(43, 4000, generator(0, "women"))
    one, other = (
        resample(lambda weights, of=of: {"auroc": auroc(*ranks(HELPED, of, weights))}, draws, EACH)[
            "auroc"
        ]
        for of in (MARKERS["protein"], MARKERS["score"])
    )
    assert (one - other).std() == pytest.approx(0.1046, rel=0.06)


def test_placements_by_hand():
    positive, values = (
        np.array([True, True, False, False, False]),
        np.array([0.6, 0.2, 0.1, 0.2, 0.7]),
    )
    assert placements(positive, values) == pytest.approx([2 / 3, 1.5 / 3, 1, 1.5 / 2, 0])


def test_an_error_by_patient_agrees_with_a_loop_over_the_patients():
    positive, one, other, patient = lesions()
    placed = placements(positive, one) - placements(positive, other)
    m, n, mean = positive.sum(), (~positive).sum(), placed[positive].mean()
    total, sick, well = [], [], []
    for who in range(40):
        mine = patient == who
        x, y = (placed[mine & side] - mean for side in (positive, ~positive))
        sick += [x.sum()] if len(x) else []
        well += [y.sum()] if len(y) else []
        total.append(x.sum() * y.sum())
    variance = (
        len(sick) / (len(sick) - 1) * np.square(sick).sum() / m**2
        + len(well) / (len(well) - 1) * np.square(well).sum() / n**2
        + 2 * 40 / 39 * sum(total) / (m * n)
    )
    assert standard_error(positive, placed, patient) == pytest.approx(np.sqrt(variance))


def test_copies_of_a_patients_lesions_say_nothing_new():
    positive, one, other, patient = lesions(1)
    twice = [np.concatenate([each, each]) for each in (positive, one, other, patient)]
    assert delong(*twice, 0.95) == pytest.approx(delong(positive, one, other, patient, 0.95))
    together, alone = (
        delong(*twice[:3], of, 0.95) for of in (twice[3], np.arange(2 * len(patient)))
    )
    assert alone["high"] - alone["low"] < 0.8 * (together["high"] - together["low"])


def test_an_error_by_patient_is_that_of_the_bootstrap_by_patient():
    positive, one, _, patient = lesions(2, 200)
    draws = draw_patients(200, 2000, generator(1, "lesions"))
    values = resample(
        lambda weights: {"auroc": auroc(*ranks(positive, one, weights))}, draws, patient
    )["auroc"]
    assert standard_error(positive, placements(positive, one), patient) == pytest.approx(
        values.std(), rel=0.06
    )


def test_the_sides_change_the_sign():
    positive, one, other, patient = lesions(3)
    forth, back = (
        delong(positive, one, other, patient, 0.9),
        delong(positive, other, one, patient, 0.9),
    )
    assert forth["p"] == pytest.approx(back["p"]) and forth["low"] == pytest.approx(-back["high"])


def test_what_is_not_defined():
    positive, one, other, patient = lesions(4)
    assert delong(positive, one, one, patient, 0.95) == {"low": 0, "high": 0, "p": 1}
    for nobody in (np.zeros(len(positive), bool), positive & (patient == patient[positive][0])):
        assert np.isnan(list(delong(nobody, one, other, patient, 0.95).values())).all()
