"""What a model says of a lesion."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from graft.familiarity.familiar import Reason
from graft.prediction.lesions import Lesion

REFUSED = "refused"  # the answer if the input is unlike those of the training


@dataclass(frozen=True)
class Prediction:
    """What a model says of a lesion.

    Attributes:
        lesion: that it is about.
        probabilities: by class, of the model, as in `metrics/predictions.csv`.
        calibrated: by class; None for an older folder, which has no calibration.
        point: the name of the operating point, `sensitivity` or `specificity`.
        threshold: of the operating point for the raw probability of the last class; None if the
            folder has none.
        called: the class at the operating point; None without a threshold.
        plausible: the classes of the conformal set; None for an older folder.
        answer: a class, "cannot tell" or "refused".
        refused: why the input is unlike those of the training; empty if it is familiar.
        measurements: what was measured of the input, None for what is unknown.
        model: SHA-256 of the model.
    """

    lesion: Lesion
    probabilities: Mapping[str, float]
    calibrated: Mapping[str, float] | None
    point: str
    threshold: float | None
    called: str | None
    plausible: tuple[str, ...] | None
    answer: str
    refused: tuple[Reason, ...]
    measurements: Mapping[str, float | None]
    model: str

    def document(self) -> dict:
        """The prediction as JSON values: an entry of predictions.json."""
        return {
            **place(self.lesion),
            "probabilities": dict(self.probabilities),
            "calibrated": None if self.calibrated is None else dict(self.calibrated),
            "point": self.point,
            "threshold": self.threshold,
            "class": self.called,
            "set": None if self.plausible is None else list(self.plausible),
            "answer": self.answer,
            "refused": [asdict(reason) for reason in self.refused],
            "measurements": dict(self.measurements),
            "model": self.model,
        }


@dataclass(frozen=True)
class Failure:
    """Why there is no prediction for a lesion."""

    lesion: Lesion
    reason: str


def place(lesion: Lesion) -> dict:
    """Which lesion it is, as JSON values: scan, line, row and position."""
    position = None
    if lesion.position is not None:
        x, y, z = lesion.position
        position = {"x": x, "y": y, "z": z, "frame": lesion.frame}
    return {
        "scan": lesion.scan or str(lesion.image),
        "line": lesion.line,
        "row": lesion.row or None,
        "lesion": position,
    }
