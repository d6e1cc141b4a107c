"""A site in memory: patches that a model with fresh weights predicts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from graft.adaptation.site import UNKNOWN, Site, measured_of, probabilities_of
from graft.prediction.cut import Input
from graft.prediction.lesions import Lesion
from graft.prediction.predictor import Predictor, load
from tests.trained import PATCH, fitted_values, write_trained

LESIONS = 48
PATIENTS = 24  # with two lesions each

Label = Callable[[np.ndarray], np.ndarray]


def make_predictor(folder: Path, members: int = 1, like_site: bool = True) -> Predictor:
    """A model, and a reference of what it was validated on: such patches, or brighter ones."""
    fitted = fitted_values(temperature=1.0)
    write_trained(folder, members=members, fitted=fitted)
    predicted = load(folder, "cpu").predict_inputs(noise(60, seed=5))
    measured = measured_of(predicted)
    reference = {
        "intensity_mean": (measured["intensity_mean"] + (0 if like_site else 0.3)).tolist(),
        "intensity_sd": measured["intensity_sd"].tolist(),
        "probability": probabilities_of(predicted)[:, 1].tolist(),
    }
    fitted = replace(fitted, familiar=replace(fitted.familiar, reference=reference))
    fitted.write(folder)
    return load(folder, "cpu")


def make_site(predictor: Predictor, label: Label, labelled: int = LESIONS) -> Site:
    """Lesions of noise, the first of which have the labels that a rule gives their probability."""
    inputs = noise(LESIONS, seed=7)
    predicted = predictor.predict_inputs(inputs)
    raw = probabilities_of(predicted)
    labels = label(raw[:, 1]).astype(int)
    labels[labelled:] = UNKNOWN
    patients = np.arange(LESIONS) // 2
    return Site(inputs, labels, patients, raw, measured_of(predicted), 0, 0)


def noise(count: int, seed: int) -> list[Input]:
    """Inputs of noise."""
    random = np.random.default_rng(seed)
    images = random.random((count, 1, *PATCH)).astype(np.float16)
    return [Input(Lesion(Path("scan")), image, 5.0, (1.0, 1.0, 1.0)) for image in images]


def by_median(disease: np.ndarray) -> np.ndarray:
    """The upper half, which is what the model says but for its bias."""
    return disease > np.median(disease)


def mostly(disease: np.ndarray) -> np.ndarray:
    """Nearly all, whatever the model says."""
    return np.arange(len(disease)) % 8 != 0
