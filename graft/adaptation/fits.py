"""The methods, from cheap to expensive, and what each fits to some lesions of a site."""

from collections.abc import Sequence
from dataclasses import dataclass, field

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

NONE, PRIOR, INTENSITY, RECALIBRATION = "none", "prior", "intensity", "recalibration"
BOTH, HEAD = "intensity-recalibration", "head"
METHODS = (NONE, PRIOR, INTENSITY, RECALIBRATION, BOTH, HEAD)  # from cheap to expensive
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
    heads: Heads
    _fits: dict[tuple, Fit] = field(default_factory=dict)
    _mapped: dict[IntensityMap, np.ndarray] = field(default_factory=dict)

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
        return cls(predictor, predictor.fitted, site, Heads.of(predictor, site))

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
        bias = tuple(self.fitted.bias.values()) or (0.0,) * len(self.predictor.classes)
        unchanged = Fit(self.site.raw, self.fitted.temperature, bias)
        if method == PRIOR:
            return self._with_prior(unchanged, labelled, seen)
        if method == INTENSITY:
            return self._with_intensity(unchanged, seen)
        if method == RECALIBRATION:
            return self._recalibrated(unchanged, labelled)
        if method == BOTH:
            return self._recalibrated(self._with_intensity(unchanged, seen), labelled)
        if method == HEAD:
            return self._with_heads(unchanged, labelled, seen)
        return unchanged

    def _with_prior(self, fit: Fit, labelled: np.ndarray, seen: np.ndarray) -> Fit:
        if len(fit.bias) != 2 or not len(self.reference):
            return fit
        labels = np.full(len(self.site), UNKNOWN)
        labels[labelled] = self.site.labels[labelled]
        old = shares_of(float(np.mean(self.reference)))
        weights = np.ones((1, len(seen)))
        [new] = estimate_shares(fit.calibrated[seen], old, labels[seen], weights)
        bias = np.array(fit.bias) + np.log(new / old)
        return Fit(fit.raw, fit.temperature, _centred(bias), fit.intensity)

    def _with_intensity(self, fit: Fit, seen: np.ndarray) -> Fit:
        measured = {name: self.site.measured[name][seen] for name in NAMES}
        found = fit_intensity(measured, self.fitted.familiar.reference)
        if found is None:
            return fit
        return Fit(self._predict_mapped(found), fit.temperature, fit.bias, found)

    def _recalibrated(self, fit: Fit, labelled: np.ndarray) -> Fit:
        if not len(labelled):
            return fit
        logits = np.log(np.maximum(fit.calibrated[labelled], LEAST_PROBABILITY))
        slope, bias = fit_slope_and_bias(logits, self.site.labels[labelled])
        temperature = float(np.clip(fit.temperature / slope, *TEMPERATURES))
        total = slope * np.array(fit.bias) + bias
        return Fit(fit.raw, round(temperature, DECIMALS), _centred(total), fit.intensity)

    def _with_heads(self, fit: Fit, labelled: np.ndarray, seen: np.ndarray) -> Fit:
        if not len(labelled):
            return fit
        heads = self.heads.fit(labelled, seen, self.site.labels, fit.temperature, fit.bias)
        return Fit(self.heads.predict(heads), fit.temperature, fit.bias, heads=heads)

    def _predict_mapped(self, intensity: IntensityMap) -> np.ndarray:
        if intensity not in self._mapped:
            patches = [intensity.apply(one.image) for one in self.site.inputs]
            predicted = self.predictor.predict_inputs(map_inputs(self.site, patches))
            found = [one for one in predicted if isinstance(one, Prediction)]
            self._mapped[intensity] = probabilities_of(found)
        return self._mapped[intensity]


def _centred(bias: np.ndarray) -> tuple[float, ...]:
    """A bias whose mean is 0, as a common part changes nothing."""
    return tuple((bias - bias.mean()).round(DECIMALS).tolist())
