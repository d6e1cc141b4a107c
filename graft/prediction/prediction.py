"""What a model says of a lesion."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from graft.common.files import DIGITS
from graft.common.shown import counted
from graft.prediction.lesions import Lesion

if TYPE_CHECKING:  # it needs PyTorch, which takes seconds, and the processes that cut need not
    from graft.familiarity.familiar import Reason

REFUSED = "refused"  # the answer if the input is unlike those of the training
RESEARCH_ONLY = "For research only, not for diagnosis."
MM_DECIMALS = 2  # of a position that a mask gave


@dataclass(frozen=True, repr=False)
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
        known: what known lesions of the patient have to do with it, as JSON values: `class`, if the
            lesion itself is known; or their number `lesions`, and `calibrated_without` them.
    """

    lesion: Lesion
    probabilities: Mapping[str, float]
    calibrated: Mapping[str, float] | None
    point: str
    threshold: float | None
    called: str | None
    plausible: tuple[str, ...] | None
    answer: str
    refused: "tuple[Reason, ...]"
    measurements: Mapping[str, float | None]
    model: str
    known: Mapping[str, Any] | None = None

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
            **({} if self.known is None else {"known": dict(self.known)}),
        }

    @property
    def known_note(self) -> str:
        """What known lesions of the patient have to do with it, in words; "" without them."""
        if self.known is None:
            return ""
        if "class" in self.known:
            return f"known: {self.known['class']}"
        lesions = counted(self.known["lesions"], "known lesion")
        before = self.known["calibrated_without"]
        disease = list(before)[-1]
        return f"given {lesions} of the patient; {disease} {before[disease]:.3f} without"

    def __repr__(self) -> str:
        """The prediction as a few lines to read in a notebook."""
        noun = "calibrated" if self.calibrated else "not calibrated"
        shown = self.calibrated or self.probabilities
        listed = ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
        lines = [f"{self.lesion.name}: {self.answer}", f"  probabilities ({noun}): {listed}"]
        if self.known is not None:
            lines.append(f"  {self.known_note}")
        if self.called is not None:
            lines.append(
                f"  at the point of {self.point}: {self.called} (threshold {self.threshold:g}, "
                "of the probability before calibration)"
            )
        if self.plausible is not None:
            lines.append(f"  plausible: {', '.join(self.plausible) or 'no class'}")
        lines += [f"  unlike the training data: {reason.text}" for reason in self.refused]
        lines.append(f"  model {self.model[:DIGITS]}. {RESEARCH_ONLY}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Failure:
    """Why there is no prediction for a lesion.

    Attributes:
        lesion: that it is about.
        error: what `graft` says of it, which may begin with the path of the image.
    """

    lesion: Lesion
    error: str

    @property
    def reason(self) -> str:
        """The error without the path of the image: the user knows it by another name."""
        return self.error.removeprefix(str(self.lesion.image)).removeprefix(": ")

    @property
    def message(self) -> str:
        """One line: the lesion and the reason."""
        return f"{self.lesion.name}: {self.reason}"

    def document(self) -> dict:
        """The failure as JSON values: an entry of predictions.json."""
        return {**place(self.lesion), "reason": self.reason}


def place(lesion: Lesion) -> dict:
    """Which lesion it is, as JSON values: scan, line, row and position."""
    position = None
    if lesion.position is not None:
        x, y, z = (round(float(number), MM_DECIMALS) for number in lesion.position)
        position = {"x": x, "y": y, "z": z, "frame": lesion.frame}
    return {
        "scan": lesion.scan or str(lesion.image),
        "line": lesion.line,
        "row": lesion.row or None,
        "lesion": position,
    }
