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
    """A model, and a reference of what it was validated on."""
    fitted = fitted_values(temperature=1.0)
    random = np.random.default_rng(5)
    middle = 0.5 if like_site else 0.8
    reference = {
        "intensity_mean": random.normal(middle, 0.01, 60).tolist(),
        "intensity_sd": random.normal(0.29, 0.01, 60).tolist(),
        "probability": random.uniform(0.2, 0.8, 60).tolist(),
    }
    fitted = replace(fitted, familiar=replace(fitted.familiar, reference=reference))
    write_trained(folder, members=members, fitted=fitted)
    return load(folder, "cpu")


def make_site(predictor: Predictor, label: Label, labelled: int = LESIONS) -> Site:
    """Lesions of noise, the first of which have the labels that a rule gives their probability."""
    random = np.random.default_rng(7)
    inputs = []
    for _ in range(LESIONS):
        image = random.random((1, *PATCH)).astype(np.float16)
        inputs.append(Input(Lesion(Path("scan")), image, 5.0, (1.0, 1.0, 1.0)))
    predicted = predictor.predict_inputs(inputs)
    raw = probabilities_of(predicted)
    labels = label(raw[:, 1]).astype(int)
    labels[labelled:] = UNKNOWN
    patients = np.arange(LESIONS) // 2
    return Site(inputs, labels, patients, raw, measured_of(predicted), 0, 0)


def by_median(disease: np.ndarray) -> np.ndarray:
    """The upper half, which is what the model says but for its bias."""
    return disease > np.median(disease)


def mostly(disease: np.ndarray) -> np.ndarray:
    """Nearly all, whatever the model says."""
    return np.arange(len(disease)) % 8 != 0
