from dataclasses import replace

import numpy as np
import pytest

from graft.conformal.quantiles import CANNOT_TELL
from graft.grids.grid import Grid
from graft.prediction.answers import Answers
from graft.prediction.cut import Input
from graft.prediction.form import InputForm
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import REFUSED
from tests.trained import fitted_values

FORM = InputForm(Grid((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 1.0)), 1, True, True, {})
IMAGE = np.linspace(0, 1, 64).reshape(1, 4, 4, 4).astype(np.float16)
THREE = ("cyst", "benign", "malignant")


def answer(malignant: float, spacing: tuple | None = (1.0, 1.0, 1.0), point="sensitivity", **fit):
    answers = Answers(("benign", "malignant"), FORM, fitted_values(**fit), "00")
    one = Input(Lesion(__file__), IMAGE, None, spacing)
    [found] = answers.give([one], np.array([[1 - malignant, malignant]]), None, point)
    return found


@pytest.mark.parametrize(
    ("malignant", "called", "plausible", "expected"),
    [
        # With the temperature 1, a class is plausible if 1 - p is at most its quantile 0.6.
        (0.2, "benign", ("benign",), "benign"),
        (0.29, "benign", ("benign",), "benign"),
        (0.45, "malignant", ("benign", "malignant"), CANNOT_TELL),
        (0.8, "malignant", ("malignant",), "malignant"),
        # Only benign is plausible, but the point calls malignant from 0.3: the two disagree.
        (0.35, "malignant", ("benign",), CANNOT_TELL),
    ],
)
def test_the_answer_is_the_only_plausible_class(malignant, called, plausible, expected):
    found = answer(malignant, temperature=1.0)
    assert (found.called, found.plausible, found.answer) == (called, plausible, expected)
    assert found.threshold == 0.3


def test_another_point_has_another_threshold():
    found = answer(0.45, point="specificity", temperature=1.0)
    assert (found.threshold, found.called) == (0.7, "benign")


def test_the_threshold_is_of_the_raw_probability():
    found = answer(0.3, temperature=0.5)
    odds = (0.3 / 0.7) ** 2
    assert found.calibrated["malignant"] == pytest.approx(odds / (1 + odds), abs=1e-8)
    assert found.called == "malignant"


def test_no_class_may_be_plausible():
    quantiles = {"benign": 0.3, "malignant": 0.3}
    found = answer(0.5, temperature=1.0, quantiles=quantiles)
    assert (found.plausible, found.answer) == ((), CANNOT_TELL)


def test_a_class_with_too_few_cases_is_always_plausible():
    quantiles = {"benign": None, "malignant": 0.6}
    assert answer(0.99, temperature=1.0, quantiles=quantiles).answer == CANNOT_TELL
    assert answer(0.01, temperature=1.0, quantiles=quantiles).answer == "benign"


def test_a_missing_point_calls_no_class():
    points = {"sensitivity": None, "specificity": None}
    found = answer(0.8, temperature=1.0, points=points)
    assert (found.called, found.threshold, found.answer) == (None, None, "malignant")


def test_an_unfamiliar_input_is_refused_and_keeps_its_probabilities():
    found = answer(0.8, spacing=(1.0, 1.0, 20.0))
    assert found.answer == REFUSED
    assert [reason.check for reason in found.refused] == ["spacing"]
    assert found.probabilities["malignant"] == 0.8
    assert found.measurements["spacing_mm"] == 20
    assert found.measurements["intensity_mean"] == pytest.approx(0.5, abs=1e-3)


def test_an_image_without_a_spacing_is_refused_by_a_model_of_scans():
    found = answer(0.8, spacing=None)
    assert found.answer == REFUSED
    assert found.refused[0].check == "spacing"
    assert found.measurements["spacing_mm"] is None


def test_three_classes_have_no_operating_point():
    answers = Answers(THREE, FORM, fitted_values(THREE, 1.0, points={}), "00")
    inputs = [Input(Lesion(__file__), IMAGE, None, (1.0, 1.0, 1.0))] * 2
    raw = np.array([[0.1, 0.2, 0.7], [0.42, 0.16, 0.42]])
    first, second = answers.give(inputs, raw, None, "sensitivity")
    assert (first.called, first.plausible, first.answer) == (None, ("malignant",), "malignant")
    assert (second.plausible, second.answer) == (("cyst", "malignant"), CANNOT_TELL)


def test_a_revised_probability_gives_set_class_and_answer():
    found = answer(0.35, temperature=0.5)
    answers = Answers(("benign", "malignant"), FORM, fitted_values(temperature=0.5), "00")
    same = answers.revise(found, found.calibrated, {"lesions": 1})
    assert same == replace(found, known={"lesions": 1})
    up = answers.revise(found, {"benign": 0.1, "malignant": 0.9}, {"lesions": 1})
    assert (up.called, up.plausible, up.answer) == ("malignant", ("malignant",), "malignant")
    assert up.probabilities == found.probabilities
    # The threshold 0.3 of the raw probability is 0.155 after calibration with the temperature 0.5.
    for malignant, called in ((0.154, "benign"), (0.156, "malignant")):
        near = {"benign": 1 - malignant, "malignant": malignant}
        assert answers.revise(found, near, {"lesions": 1}).called == called


def test_a_revised_prediction_stays_refused():
    found = answer(0.8, spacing=(20.0, 1.0, 1.0))
    answers = Answers(("benign", "malignant"), FORM, fitted_values(), "00")
    revised = answers.revise(found, {"benign": 0.1, "malignant": 0.9}, {"lesions": 1})
    assert found.answer == revised.answer == REFUSED
