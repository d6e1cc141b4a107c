"""A trained model that is ready to predict: `graft.load("models/best")`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.networks.saved import Model
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import Failure, Prediction
from graft.release.fitted import Fitted

DEFAULT_POINT = "sensitivity"


@dataclass(frozen=True)
class Predictor:
    """A model, and what was fitted with it.

    Attributes:
        folder: of the model.
        model: the networks and their card.
        fitted: None for an older folder.
        sha256: of the model: one digest of weights, card and what was fitted.
    """

    folder: Path
    model: Model
    fitted: Fitted | None
    sha256: str

    def predict(
        self,
        scan: str | Path,
        at: Sequence[float] | None = None,
        frame: str = "ras",
        mask: str | Path | None = None,
        series: str = "",
        segment: str = "",
        covariates: Mapping[str, object] | None = None,
        point: str = DEFAULT_POINT,
    ) -> Prediction:
        """Predict for one lesion.

        Raises:
            InputError: if the scan cannot be used.
        """
        raise NotImplementedError

    def predict_lesions(
        self,
        lesions: Sequence[Lesion],
        show: Callable[[int], object] | None = None,
        point: str = DEFAULT_POINT,
    ) -> list[Prediction | Failure]:
        """Predict for lesions, in their order. A scan that cannot be used is a Failure."""
        raise NotImplementedError


def load(folder: str | Path, device: str = "auto") -> Predictor:
    """Load a model folder.

    Args:
        folder: such as models/best.
        device: `cpu`, `cuda`, or `auto` for a GPU if there is one.

    Raises:
        InputError: if the folder cannot be used.
    """
    raise NotImplementedError
