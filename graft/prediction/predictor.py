"""A trained model that is ready to predict: `graft.load("models/best")`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import DIGITS, InputError
from graft.common.shown import shown
from graft.explain.saliency import SaliencyMaps
from graft.familiarity.measurements import model_features
from graft.networks.card import has_model
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import Model, load_model
from graft.prediction.answers import Answers
from graft.prediction.covariates import covariate_row
from graft.prediction.cut import Input, cut_inputs
from graft.prediction.form import InputForm
from graft.prediction.identity import model_digest
from graft.prediction.lesions import Lesion
from graft.prediction.maps import DEFAULT_METHOD, ScanMap, explain_input, explain_patch
from graft.prediction.prediction import Failure, Prediction
from graft.release.fitted import Fitted

POINTS = ("sensitivity", "specificity")
DEFAULT_POINT = POINTS[0]

Result = Prediction | Failure


@dataclass(frozen=True, repr=False)
class Predictor:
    """A model, and what was fitted with it. It does not change, so several threads may use it.

    Attributes:
        folder: of the model.
        model: the networks and their card.
        fitted: None for an older folder.
        form: of the inputs of the model.
        sha256: of the model: one digest of weights, card and what was fitted.
    """

    folder: Path
    model: Model
    fitted: Fitted | None
    form: InputForm
    sha256: str

    @property
    def classes(self) -> list[str]:
        """The names of the classes; the last one is the disease."""
        return self.model.card["classes"]

    @property
    def answers(self) -> Answers:
        """How the model answers."""
        return Answers(self.classes, self.form, self.fitted, self.sha256)

    def predict(
        self,
        scan: str | Path,
        at: Sequence[float] | None = None,
        frame: str = "ras",
        mask: str | Path | None = None,
        series: str = "",
        segment: str = "",
        diameter_mm: float | None = None,
        covariates: Mapping[str, object] | None = None,
        point: str = DEFAULT_POINT,
    ) -> Prediction:
        """Predict for one lesion of a scan, or for a picture.

        Args:
            scan: NIfTI, MetaImage, NRRD, the folder of a DICOM series, or a picture.
            at: x, y, z of the lesion, along the axes of `frame`.
            frame: `ras` or `lps` in mm, or `voxel` for an index (i, j, k) from 0.
            mask: a file that gives the position instead, or as well.
            series: the number or the UID of a DICOM series, if the folder has several.
            segment: the structure of the mask, if it has several.
            diameter_mm: of the lesion, if the model reads it and there is no mask.
            covariates: by name; None or "" for a value that is not known.
            point: the operating point, `sensitivity` or `specificity`.

        Raises:
            InputError: if the scan cannot be used, or if the model needs something else.
        """
        known = {name: "" if value is None else str(value) for name, value in _items(covariates)}
        lesion = Lesion(
            image=Path(scan),
            position=None if at is None else tuple(float(number) for number in at),
            frame=frame,
            mask=None if mask is None else Path(mask),
            series=series,
            segment=segment,
            diameter_mm=diameter_mm,
            covariates=known,
        )
        [found] = self.predict_lesions([lesion], point=point)
        if isinstance(found, Failure):
            raise InputError(found.message)
        return found

    def predict_lesions(
        self,
        lesions: Sequence[Lesion],
        show: Callable[[int], object] | None = None,
        point: str = DEFAULT_POINT,
    ) -> list[Result]:
        """Predict for lesions, in their order. One that cannot be used is a Failure.

        A prediction does not depend on the other lesions.

        Args:
            lesions: of any number of scans, each of which is read once.
            show: is called with the number of each lesion, from 0, when its scan has been read.
            point: the operating point, `sensitivity` or `specificity`.

        Raises:
            InputError: if there is no such operating point.
        """
        check_point(point)
        found = cut_inputs(self.form, lesions, show)
        inputs = [one for one in found if isinstance(one, Input)]
        predicted = iter(self.predict_inputs(inputs, point))
        return [one if isinstance(one, Failure) else next(predicted) for one in found]

    def predict_inputs(self, inputs: Sequence[Input], point: str = DEFAULT_POINT) -> list[Result]:
        """Predict for what `cut_inputs` has cut, in its order.

        Raises:
            InputError: if there is no such operating point.
        """
        check_point(point)
        results: dict[int, Result] = {}
        rows = {}
        for number, one in enumerate(inputs):
            try:
                rows[number] = self.covariates_of(one)
            except InputError as error:
                results[number] = Failure(one.lesion, str(error))
        if rows:
            usable = [inputs[number] for number in rows]
            predicted = self._predict(usable, pd.concat(rows.values()), point)
            results.update(zip(rows, predicted, strict=True))
        return [results[number] for number in range(len(inputs))]

    def explain(self, lesion: Lesion | Prediction, method: str = DEFAULT_METHOD) -> ScanMap:
        """Make a saliency map of a lesion on the grid of its scan.

        Raises:
            InputError: if the scan cannot be used, or if the image has no grid in mm.
        """
        if isinstance(lesion, Prediction):
            lesion = lesion.lesion
        [found] = cut_inputs(self.form, [lesion])
        if isinstance(found, Failure):
            raise InputError(found.message)
        return self.explain_input(found, method)

    def explain_input(self, found: Input, method: str = DEFAULT_METHOD) -> ScanMap:
        """Make the map of what `cut_inputs` has cut.

        Raises:
            InputError: if the image has no grid in mm.
        """
        return explain_input(self.model, self.form, found, self.covariates_of(found), method)

    def explain_patch(self, found: Input, method: str = DEFAULT_METHOD) -> SaliencyMaps:
        """Make the map of what `cut_inputs` has cut, on the grid of its patch."""
        return explain_patch(self.model, found.image, self.covariates_of(found), method)

    def covariates_of(self, found: Input) -> pd.DataFrame:
        """The covariates of what `cut_inputs` has cut, as the table that the model reads.

        Raises:
            InputError: if a value is missing or cannot be read.
        """
        return covariate_row(self.form, self.model.encoding, found.lesion.covariates, found.size)

    def _predict(
        self, inputs: Sequence[Input], covariates: pd.DataFrame, point: str
    ) -> list[Prediction]:
        images = np.stack([one.image for one in inputs])
        raw = self.model.predict(images, covariates)
        features = model_features(self.model, images) if self.fitted else None
        return self.answers.give(inputs, raw, features, point)

    def __repr__(self) -> str:
        about = f"{self.fitted.name}, for {self.fitted.target}" if self.fitted else "no calibration"
        return f"<model {self.folder} ({about}): {', '.join(self.classes)}, {self.sha256[:DIGITS]}>"


def check_point(point: str) -> None:
    """Raise InputError if there is no such operating point."""
    if point not in POINTS:
        raise InputError(f"point: got {shown(point)}, expected {' or '.join(POINTS)}")


def load(folder: str | Path, device: str = "auto") -> Predictor:
    """Load a model folder.

    Args:
        folder: such as models/best.
        device: `cpu`, `cuda`, or `auto` for a GPU if there is one.

    Raises:
        InputError: if the folder cannot be used, or was changed after it was written.
    """
    folder = Path(folder)
    if not has_model(folder):
        raise InputError(f"{folder}: has no model, expected one that was trained")
    use_deterministic_algorithms()
    model = load_model(folder, pick_device(device))
    fitted = Fitted.read(folder)
    form = InputForm.of_card(folder, model.card)
    return Predictor(
        folder=folder,
        model=model,
        fitted=fitted,
        form=replace(form, intensity=fitted.intensity) if fitted else form,
        sha256=model_digest(folder),
    )


def _items(covariates: Mapping[str, object] | None) -> Sequence[tuple[str, object]]:
    return list((covariates or {}).items())
