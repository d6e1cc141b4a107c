"""Quantiles and familiar inputs that a test sample had influence on raise one line each."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graft.audit.fitted import check_chosen
from graft.common.files import InputError
from graft.conformal.quantiles import fit_quantiles
from graft.data.domain import Domain
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.familiarity.fit import fit_familiar
from graft.familiarity.measurements import measure
from graft.release.chosen import ChosenModel
from graft.statistics.cases import Cases

CLASSES = ["benign", "malignant"]
ROWS = {"train": np.arange(20), "validation": np.arange(20, 40), "test": np.arange(40, 60)}


@pytest.fixture(scope="module")
def target() -> EvaluatedDomain:
    """60 lesions of as many patients, alternately benign and malignant."""
    index = pd.DataFrame(
        {"sample": range(60), "patient": [f"p{i}" for i in range(60)], "label": CLASSES * 30}
    )
    images = np.random.default_rng(0).random((60, 1, 4, 4)).astype(np.float16)
    domain = Domain("liver", images, index, CLASSES, {})
    cases = {}
    for part in ("validation", "test"):
        rows = index.iloc[ROWS[part]]
        cases[part] = Cases.of(rows, CLASSES, 10, np.random.default_rng(0))
    return EvaluatedDomain(domain, ROWS, cases)


def fit(target: EvaluatedDomain, rows: np.ndarray) -> ChosenModel:
    """A model whose quantiles and familiar inputs were fitted to some rows."""
    disease = np.linspace(0.1, 0.9, 60).round(6)
    probabilities = np.stack([1 - disease, disease], axis=1)
    samples = tuple(rows.tolist())
    conformal = fit_quantiles(rows % 2, probabilities[rows], samples, CLASSES, 0.2)
    familiar = fit_familiar(measure(target.domain.images[rows]), samples, rows)
    validating = {"validation": probabilities[ROWS["validation"]]}
    return ChosenModel("bagging", validating, conformal, familiar, {})


@pytest.fixture
def chosen(target) -> ChosenModel:
    return fit(target, ROWS["validation"])


def test_what_the_validation_part_gives_has_two_rows(target, chosen):
    release, quantiles = check_chosen(target, chosen)
    assert release["name"] == "release"
    assert release["looked_at"] == "conformal quantiles, familiar inputs of bagging"
    assert quantiles["name"] == "quantiles"
    assert quantiles["looked_at"] == "benign, malignant"


@pytest.mark.parametrize("what", ["conformal", "familiar"])
def test_a_test_sample_among_those_that_it_was_fitted_on_is_caught(target, chosen, what):
    leaked = fit(target, np.append(ROWS["validation"], 40))
    mixed = replace(chosen, **{what: getattr(leaked, what)})
    with pytest.raises(
        InputError,
        match=r"of bagging was fitted on 21 samples \(20 of validation, 1 of test\), expected the "
        "20 of the validation part and no other$",
    ):
        check_chosen(target, mixed)


def test_a_quantile_of_test_samples_that_names_others_is_caught(target, chosen):
    leaked = fit(target, ROWS["test"]).conformal
    lying = replace(leaked, fitted_on=chosen.conformal.fitted_on)
    with pytest.raises(
        InputError,
        match="^domains.liver: the quantile of benign of bagging is .*, which the validation part "
        "alone gives$",
    ):
        check_chosen(target, replace(chosen, conformal=lying))
