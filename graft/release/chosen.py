"""Everything that is fitted with the chosen model, on validation or out-of-fold cases only."""

from dataclasses import dataclass

import numpy as np

from graft.common.vocabulary import TESTS
from graft.conformal.coverage import conformal_block
from graft.conformal.quantiles import Conformal, fit_quantiles
from graft.data.image_rows import ImageRows
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.scored import ScoredModels
from graft.evaluation.settings import Evaluate
from graft.familiarity.familiar import Familiar
from graft.familiarity.fit import fit_familiar
from graft.familiarity.measurements import Measurements, measure, model_features
from graft.familiarity.refusals import refusals_block
from graft.networks.saved import Model


@dataclass(frozen=True)
class ChosenModel:
    """The chosen model of a target, and what was fitted with it.

    Attributes:
        name: of the model.
        probabilities: by part, (N, C), calibrated by the temperature.
        conformal: the quantiles.
        familiar: what familiar inputs look like.
        measured: the lesions of each test part.
    """

    name: str
    probabilities: dict[str, np.ndarray]
    conformal: Conformal
    familiar: Familiar
    measured: dict[str, Measurements]

    @property
    def fitted_on(self) -> dict[str, tuple[int, ...]]:
        """The sample numbers that each of them was fitted on."""
        return {
            "conformal quantiles": self.conformal.fitted_on,
            "familiar inputs": self.familiar.fitted_on,
        }


def fit_chosen(
    target: EvaluatedDomain, scored: ScoredModels, model: Model, settings: Evaluate
) -> ChosenModel:
    """Fit the quantiles and the familiar inputs of the chosen model to the validation cases.

    Without a validation part these are the training rows. Their probabilities are out of fold, and
    their features are those of the model itself, which trained on them.

    Args:
        target: the domain.
        scored: its models.
        model: the chosen one.
        settings: of the evaluation.
    """
    tuned = scored.tuned[scored.chosen]
    probabilities = {}
    for part, predicted in scored.models[scored.chosen].probabilities.items():
        probabilities[part] = tuned.calibrated(predicted)["temperature"]
    validation = target.cases["validation"]
    conformal = fit_quantiles(
        validation.labels,
        probabilities["validation"],
        validation.samples,
        target.domain.classes,
        settings.miscoverage,
    )
    familiar = fit_familiar(
        measure_rows(target, model, target.validating),
        validation.samples,
        validation.patient,
        probabilities["validation"][:, -1],
    )
    measured = {}
    for part in TESTS:
        if part in target.rows:
            measured[part] = measure_rows(target, model, target.rows[part])
    return ChosenModel(scored.chosen, probabilities, conformal, familiar, measured)


def measure_rows(target: EvaluatedDomain, model: Model, rows: np.ndarray) -> Measurements:
    """Measure some lesions of a target as inputs of a model."""
    domain = target.domain
    images = ImageRows(domain.images, rows)
    spacings = None if domain.spacings is None else domain.spacings[rows]
    return measure(images, spacings, model_features(model, images))


def release_blocks(chosen: ChosenModel, target: EvaluatedDomain, confidence: float) -> dict:
    """Make the blocks `conformal` and `refusals` of metrics.json."""
    reasons = {part: chosen.familiar.check(found) for part, found in chosen.measured.items()}
    sets = (chosen.conformal, chosen.name, chosen.probabilities, target.cases, confidence)
    return {
        "conformal": conformal_block(*sets),
        "refusals": refusals_block(chosen.name, reasons, target.cases, confidence),
    }
