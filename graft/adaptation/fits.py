"""The methods, from cheap to expensive, and what each fits to some lesions of a site."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from graft.adaptation.heads import Head, Heads
from graft.adaptation.intensity import NAMES, fit_intensity
from graft.adaptation.prior import estimate_shares, shares_of
from graft.adaptation.recalibration import fit_slope_and_bias
from graft.adaptation.site import UNKNOWN, Site, map_inputs, probabilities_of
from graft.common.files import InputError
from graft.grids.intensity_map import IntensityMap
from graft.prediction.prediction import Prediction
from graft.prediction.predictor import Predictor
from graft.release.fitted import Fitted
from graft.statistics.calibrate import TEMPERATURES, Temperature
from graft.statistics.scores import LEAST_PROBABILITY, PROBABILITY_DECIMALS

NONE, INTENSITY, PRIOR = "none", "intensity", "prior"
RECALIBRATION, HEAD = "recalibration", "head"
# From cheap to expensive. All but the first map the intensities if they differ from the training's.
METHODS = (NONE, INTENSITY, PRIOR, RECALIBRATION, HEAD)
NO_LABELS = np.zeros(0, dtype=int)
DECIMALS = 4  # of a temperature and a bias; the last bits of a sum depend on the machine


@dataclass(frozen=True)
class Fit:
    """What a method fitted, and what the model then says of all N lesions of the site.

    Attributes:
        raw: (N, C) probabilities.
        temperature: of the calibration.
        bias: (C,) of the calibration.
        intensity: the map of the patches, if there is one.
        heads: of the networks, if they changed.
    """

    raw: np.ndarray
    temperature: float
    bias: tuple[float, ...]
    intensity: IntensityMap | None = None
    heads: tuple[Head, ...] | None = None

    @property
    def calibrated(self) -> np.ndarray:
        """The calibrated probabilities (N, C)."""
        calibrated = Temperature(self.temperature, (), self.bias).apply(self.raw)
        return calibrated.round(PROBABILITY_DECIMALS)


@dataclass(frozen=True)
class Fitter:
    """Fits methods to the lesions of a site, each combination of lesions once.

    Attributes:
        predictor: the model.
        fitted: with it.
        site: the lesions.
    """

    predictor: Predictor
    fitted: Fitted
    site: Site
    _fits: dict[tuple, Fit] = field(default_factory=dict)
    _predicted: dict[IntensityMap, np.ndarray] = field(default_factory=dict)
    _heads: dict[IntensityMap | None, Heads] = field(default_factory=dict)

    @classmethod
    def of(cls, predictor: Predictor, site: Site) -> "Fitter":
        """Prepare to fit.

        Raises:
            InputError: if nothing was fitted with the model.
        """
        if predictor.fitted is None:
            raise InputError(
                f"{predictor.folder}: has no fitted.json, expected a folder that evaluate wrote"
            )
        return cls(predictor, predictor.fitted, site)

    @property
    def reference(self) -> Sequence[float]:
        """Calibrated probabilities of the disease of the cases that the model was validated on."""
        return self.fitted.familiar.reference.get("probability", ())

    def fit(self, method: str, labelled: np.ndarray, seen: np.ndarray) -> Fit:
        """Fit a method.

        Args:
            method: one of METHODS.
            labelled: the numbers of the lesions whose labels it may use, some of `seen`.
            seen: the numbers of the lesions whose images it may use.
        """
        key = (method, labelled.tobytes(), seen.tobytes())
        if key not in self._fits:
            self._fits[key] = self._fit(method, labelled, seen)
        return self._fits[key]

    def _fit(self, method: str, labelled: np.ndarray, seen: np.ndarray) -> Fit:
        if method == NONE:
            bias = tuple(self.fitted.bias.values()) or (0.0,) * len(self.predictor.classes)
            return Fit(self.site.raw, self.fitted.temperature, bias)
        if method == INTENSITY:
            return self._with_intensity(self.fit(NONE, NO_LABELS, NO_LABELS), seen)
        start = self.fit(INTENSITY, NO_LABELS, seen)
        if method == PRIOR:
            return self._with_prior(start, labelled, seen)
        if not len(labelled):
            return start
        if method == RECALIBRATION:
            return self._recalibrated(start, labelled)
        heads = self._heads_of(start.intensity)
        labels = self.site.labels
        found = heads.fit(labelled, seen, labels, start.temperature, start.bias)
        return replace(start, raw=heads.predict(found), heads=found)

    def _with_intensity(self, fit: Fit, seen: np.ndarray) -> Fit:
        measured = {name: self.site.measured[name][seen] for name in NAMES}
        reference = self.fitted.familiar.reference
        found = fit_intensity(measured, self.site.patients[seen], reference)
        if found is None:
            return fit
        return replace(fit, raw=self._predict_mapped(found), intensity=found)

    def _with_prior(self, fit: Fit, labelled: np.ndarray, seen: np.ndarray) -> Fit:
        if len(fit.bias) != 2 or not len(self.reference):
            return fit
        labels = np.full(len(self.site), UNKNOWN)
        labels[labelled] = self.site.labels[labelled]
        old = shares_of(float(np.mean(self.reference)))
        weights = np.ones((1, len(seen)))
        [new] = estimate_shares(fit.calibrated[seen], old, labels[seen], weights)
        return replace(fit, bias=_centred(np.array(fit.bias) + np.log(new / old)))

    def _recalibrated(self, fit: Fit, labelled: np.ndarray) -> Fit:
        logits = np.log(np.maximum(fit.calibrated[labelled], LEAST_PROBABILITY))
        slope, bias = fit_slope_and_bias(logits, self.site.labels[labelled])
        temperature = float(np.clip(fit.temperature / slope, *TEMPERATURES))
        total = slope * np.array(fit.bias) + bias
        return replace(fit, temperature=round(temperature, DECIMALS), bias=_centred(total))

    def _images(self, intensity: IntensityMap | None) -> list[np.ndarray]:
        images = [one.image for one in self.site.inputs]
        return images if intensity is None else [intensity.apply(image) for image in images]

    def _predict_mapped(self, intensity: IntensityMap) -> np.ndarray:
        if intensity not in self._predicted:
            inputs = map_inputs(self.site, self._images(intensity))
            predicted = self.predictor.predict_inputs(inputs)
            found = [one for one in predicted if isinstance(one, Prediction)]
            self._predicted[intensity] = probabilities_of(found)
        return self._predicted[intensity]

    def _heads_of(self, intensity: IntensityMap | None) -> Heads:
        if intensity not in self._heads:
            images = np.stack(self._images(intensity))
            self._heads[intensity] = Heads.of(self.predictor, self.site, images)
        return self._heads[intensity]


def _centred(bias: np.ndarray) -> tuple[float, ...]:
    """A bias whose mean is 0, as a common part changes nothing."""
    return tuple((bias - bias.mean()).round(DECIMALS).tolist())
