"""What familiar inputs look like: ranges and distances fitted to them, and checks of others."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from graft.familiarity.measurements import INTENSITIES, Measurements

CHECKS = ("spacing", "intensities", "features")
AXES = ("R", "A", "S")
DISTANCE = "feature_distance"
DECIMALS = 6

Range = tuple[float, float]


@dataclass(frozen=True)
class Reason:
    """Why an input is unlike those that a model was trained for.

    Attributes:
        check: one of CHECKS.
        text: a sentence with the value and the range.
    """

    check: str
    text: str


@dataclass(frozen=True)
class Familiar:
    """What familiar inputs look like.

    Attributes:
        ranges: the lowest and the highest familiar value of each name of INTENSITIES, of
            `feature_distance`, and of `spacing_r`, `spacing_a` and `spacing_s` in mm. What was not
            measured has no range, and is not checked.
        centre: (F,) mean of the features; empty without features.
        precision: (F, F) inverse of their covariance.
        reference: at most REFERENCE sorted values by measurement, to compare other inputs with.
        fitted_on: the sample numbers that all of this was fitted on.
    """

    ranges: dict[str, Range]
    centre: list[float]
    precision: list[list[float]]
    reference: dict[str, list[float]]
    fitted_on: tuple[int, ...]

    def values(self, measured: Measurements) -> dict[str, np.ndarray]:
        """What is known of N inputs: (N,) by the names of `reference`, NaN if unknown."""
        values = dict(measured.intensities)
        if measured.spacings is not None:
            values["spacing_mm"] = measured.spacings.max(1)
        if measured.features is not None and self.centre:
            values[DISTANCE] = distances(measured.features, self.centre, self.precision)
        return {name: found.round(DECIMALS) for name, found in values.items()}

    def check(self, measured: Measurements) -> list[list[Reason]]:
        """Why each of N inputs is unfamiliar. An empty list: it is familiar.

        A value that is NaN, because it is unknown, is no reason.
        """
        values = self.values(measured)
        if measured.spacings is not None:
            for axis, spacings in zip(AXES, measured.spacings.T, strict=True):
                values[f"spacing_{axis.lower()}"] = spacings
        reasons: list[list[Reason]] = [[] for _ in range(len(measured))]
        for name in (name for name in self.ranges if name in values):
            low, high = self.ranges[name]
            for found, value in zip(reasons, values[name].tolist(), strict=True):
                if value < low or value > high:
                    found.append(explain(name, value, low, high))
        return reasons

    @classmethod
    def from_document(cls, content: Mapping) -> "Familiar":
        """Make it from `dataclasses.asdict` of it, also after that was JSON."""
        values = {field.name: content[field.name] for field in fields(cls)}
        values["ranges"] = {name: (low, high) for name, (low, high) in content["ranges"].items()}
        values["fitted_on"] = tuple(content["fitted_on"])
        return cls(**values)


def distances(
    features: np.ndarray, centre: np.ndarray | list, precision: np.ndarray | list
) -> np.ndarray:
    """Mahalanobis distances (N,) of features (N, F) from their centre.

    Lee, Lee, Lee and Shin (2018), A Simple Unified Framework for Detecting Out-of-Distribution
    Samples and Adversarial Attacks, NeurIPS; here with one centre for all classes.
    """
    away = features - np.asarray(centre)  # (N, F)
    squares = np.einsum("nf,fg,ng->n", away, np.asarray(precision), away)
    return np.sqrt(np.maximum(squares, 0))


def explain(name: str, value: float, low: float, high: float) -> Reason:
    """Say that a value is outside of its range."""
    if name == DISTANCE:
        text = (
            f"The first layer of the network answers unlike it did in training: the distance is "
            f"{value:.3g}, and familiar inputs have at most {high:.3g}."
        )
        return Reason("features", text)
    familiar = f"familiar inputs have {low:.3g} to {high:.3g}"
    if name in INTENSITIES:
        what = {
            "intensity_mean": "mean intensity",
            "intensity_sd": "standard deviation of the intensities",
            "intensity_roughness": "mean difference between neighbouring voxels",
        }[name]
        text = f"The {what} of the patch is {value:.3g} of the window, and {familiar}."
        return Reason("intensities", text)
    axis = name.removeprefix("spacing_").upper()
    text = f"The scan has {value:.3g} mm per voxel along {axis}, and {familiar} mm."
    return Reason("spacing", text)
