"""What familiar inputs look like: ranges and distances fitted to them, and checks of others."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from graft.familiarity.measurements import INTENSITIES, Measurements

REFERENCE = 200  # values of each measurement that are kept
DECIMALS = 6
AXES = ("R", "A", "S")

Range = tuple[float, float]


@dataclass(frozen=True)
class Reason:
    """Why an input is unlike those of the training.

    Attributes:
        check: `spacing`, `intensities` or `features`.
        text: a sentence with the value and the range.
    """

    check: str
    text: str


@dataclass(frozen=True)
class Familiar:
    """What familiar inputs look like.

    Attributes:
        ranges: the lowest and highest familiar value by measurement.
        centre: (F,) mean of the features; empty without features.
        precision: (F, F) inverse of their covariance.
        reference: at most REFERENCE sorted values by measurement, to compare other inputs with.
    """

    ranges: dict[str, Range]
    centre: list[float]
    precision: list[list[float]]
    reference: dict[str, list[float]]

    def values(self, measured: Measurements) -> dict[str, np.ndarray]:
        """What is known of N inputs, (N,) by the names of `reference`, NaN if unknown."""
        values = dict(measured.intensities)
        if measured.spacings is not None:
            values["spacing_mm"] = np.max(measured.spacings, axis=1)
        if measured.features is not None and self.centre:
            values["feature_distance"] = self._distance(measured.features)
        return {name: found.round(DECIMALS) for name, found in values.items()}

    def check(self, measured: Measurements) -> list[list[Reason]]:
        """Why each of N inputs is unfamiliar. An empty list: it is familiar."""
        reasons: list[list[Reason]] = [[] for _ in range(len(measured))]
        for name, values in self.values(measured).items():
            if name not in self.ranges:
                continue
            low, high = self.ranges[name]
            for found, value in zip(reasons, values, strict=True):
                if value < low or value > high:
                    found.append(_explain(name, float(value), low, high))
        return reasons

    def document(self) -> dict:
        """The content as plain JSON values, which `from_document` reads."""
        return asdict(self)

    @classmethod
    def from_document(cls, content: Mapping) -> "Familiar":
        """Read what `document` returned."""
        ranges = {name: (low, high) for name, (low, high) in content["ranges"].items()}
        return cls(**{**content, "ranges": ranges})

    def _distance(self, features: np.ndarray) -> np.ndarray:
        away = features - np.array(self.centre)  # (N, F)
        squares = np.einsum("nf,fg,ng->n", away, np.array(self.precision), away)
        return np.sqrt(np.maximum(squares, 0))


def fit(measured: Measurements, probability: np.ndarray | None = None) -> Familiar:
    """Fit ranges and distances to familiar inputs.

    Args:
        measured: N inputs.
        probability: (N,) calibrated, of the disease, for the reference alone.
    """
    centre: list[float] = []
    precision: list[list[float]] = []
    if measured.features is not None:
        from sklearn.covariance import ledoit_wolf  # late: it takes a second

        centre = measured.features.mean(0).tolist()
        covariance, _ = ledoit_wolf(measured.features)
        precision = np.linalg.inv(covariance).tolist()
    unranged = Familiar({}, centre, precision, {})
    values = unranged.values(measured)
    ranges = {}
    for name, found in values.items():
        low = 0.0 if name == "feature_distance" else float(np.nanmin(found))
        ranges[name] = (low, float(np.nanmax(found)))
    if probability is not None:
        values["probability"] = probability
    reference = {name: _sample(found) for name, found in values.items()}
    return Familiar(ranges, centre, precision, reference)


def _sample(values: np.ndarray) -> list[float]:
    """At most REFERENCE of the sorted values that are known, evenly spaced by rank."""
    known = np.sort(values[np.isfinite(values)])
    if len(known) > REFERENCE:
        known = known[np.linspace(0, len(known) - 1, REFERENCE).round().astype(int)]
    return known.round(DECIMALS).tolist()


def _explain(name: str, value: float, low: float, high: float) -> Reason:
    check = "intensities" if name in INTENSITIES else name.partition("_")[0]
    check = "features" if name == "feature_distance" else check
    text = f"{name} is {value:.4g}, and it was {low:.4g} to {high:.4g} in training."
    return Reason(check, text)
