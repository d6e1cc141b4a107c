"""Answers: what probabilities mean at an operating point, as a set, and for unfamiliar inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graft.common.documents import clean
from graft.conformal.quantiles import CANNOT_TELL, answer, predict_sets
from graft.familiarity.familiar import Familiar, Reason
from graft.familiarity.measurements import measure
from graft.prediction.cut import Input
from graft.prediction.form import InputForm
from graft.prediction.prediction import REFUSED, Prediction
from graft.release.fitted import Fitted
from graft.statistics.scores import PROBABILITY_DECIMALS, call

UNFITTED = Familiar({}, [], [], {}, ())  # of an older folder: every input is familiar


@dataclass(frozen=True)
class Answers:
    """How a model answers.

    Attributes:
        classes: the C names.
        form: of the inputs of the model.
        fitted: with the model; None for an older folder.
        sha256: of the model.
    """

    classes: Sequence[str]
    form: InputForm
    fitted: Fitted | None
    sha256: str

    def give(
        self, inputs: Sequence[Input], raw: np.ndarray, features: np.ndarray | None, point: str
    ) -> list[Prediction]:
        """Make the predictions of N inputs.

        Args:
            inputs: N.
            raw: (N, C) probabilities.
            features: (N, F) of the model; None for an older folder.
            point: the name of the operating point.
        """
        raw = raw.round(PROBABILITY_DECIMALS)  # as metrics are computed from them
        calibrated = self._calibrate(raw)
        plausible = self._find_sets(calibrated)
        threshold = self.fitted.points.get(point) if self.fitted else None
        codes = call(raw, threshold)
        measurements, reasons = self._compare(inputs, features)
        predictions = []
        for row, one in enumerate(inputs):
            called = None if threshold is None else self.classes[codes[row]]
            kept = None if plausible is None else plausible[row]
            predictions.append(
                Prediction(
                    lesion=one.lesion,
                    probabilities=self._by_class(raw[row]),
                    calibrated=None if calibrated is None else self._by_class(calibrated[row]),
                    point=point,
                    threshold=threshold,
                    called=called,
                    plausible=None if kept is None else self._names(kept),
                    answer=self._answer(raw[row], kept, called, reasons[row]),
                    refused=tuple(reasons[row]),
                    measurements=measurements[row],
                    model=self.sha256,
                )
            )
        return predictions

    def revise(
        self, one: Prediction, calibrated: Mapping[str, float], known: Mapping[str, Any]
    ) -> Prediction:
        """Answer again with other calibrated probabilities of the same lesion.

        The set and the class at the operating point come from them. The threshold is that of the
        probability before calibration, so the calibration is undone for it. `probabilities` stay
        those of the model.

        Args:
            one: the prediction, of a model with calibration.
            calibrated: by class.
            known: why they are others, for `Prediction.known`.
        """
        assert self.fitted is not None
        found = np.array([list(calibrated.values())]).round(PROBABILITY_DECIMALS)  # (1, C)
        raw = self.fitted.calibration.inverse().apply(found)
        sets = self._find_sets(found)
        assert sets is not None
        called = None if one.threshold is None else self.classes[call(raw, one.threshold)[0]]
        return replace(
            one,
            calibrated=self._by_class(found[0]),
            called=called,
            plausible=self._names(sets[0]),
            answer=self._answer(raw[0], sets[0], called, one.refused),
            known=known,
        )

    def _calibrate(self, raw: np.ndarray) -> np.ndarray | None:
        if self.fitted is None:
            return None
        return self.fitted.calibration.apply(raw).round(PROBABILITY_DECIMALS)

    def _find_sets(self, calibrated: np.ndarray | None) -> np.ndarray | None:
        """Which classes are plausible: (N, C) bool."""
        if self.fitted is None or calibrated is None:
            return None
        quantiles = {name: self.fitted.quantiles.get(name) for name in self.classes}
        return predict_sets(calibrated, quantiles)

    def _compare(
        self, inputs: Sequence[Input], features: np.ndarray | None
    ) -> tuple[list[dict[str, float | None]], list[list[Reason]]]:
        """What is measured of each input, and why it is unlike those of the training."""
        images = np.stack([one.image for one in inputs])
        unknown = (np.nan,) * 3
        spacings = np.array([one.spacing or unknown for one in inputs])
        measured = measure(images, None if np.isnan(spacings).all() else spacings, features)
        familiar = self.fitted.familiar if self.fitted else UNFITTED
        reasons = familiar.check(measured)
        if self.form.spaced and self.fitted is not None:
            for one, found in zip(inputs, reasons, strict=True):
                if one.spacing is None:
                    text = "The image has no spacing in mm, and those of the training had one."
                    found.append(Reason("spacing", text))
        values = {"spacing_mm": None, "feature_distance": None, **familiar.values(measured)}
        rows = []
        for row in range(len(inputs)):
            known = {
                name: None if column is None else float(column[row])
                for name, column in values.items()
            }
            rows.append(clean(known))
        return rows, reasons

    def _answer(
        self,
        raw: np.ndarray,
        kept: np.ndarray | None,
        called: str | None,
        reasons: Sequence[Reason],
    ) -> str:
        """The answer: refused, the one plausible class, or that no class can be told.

        The class at the operating point must agree. It has another purpose than the set, so it may
        not.
        """
        if reasons:
            return REFUSED
        if kept is None:  # an older folder
            return called or self.classes[int(raw.argmax())]
        found = answer(kept, self.classes)
        return found if called in (None, found) else CANNOT_TELL

    def _names(self, kept: np.ndarray) -> tuple[str, ...]:
        return tuple(name for name, is_kept in zip(self.classes, kept, strict=True) if is_kept)

    def _by_class(self, row: np.ndarray) -> Mapping[str, float]:
        return dict(zip(self.classes, row.tolist(), strict=True))
