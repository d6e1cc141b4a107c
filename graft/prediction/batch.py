"""Many lesions at once: list, predict, print and write them. A bad one does not stop the others."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graft.common.files import InputError, whole_folder
from graft.common.shown import counted, shown
from graft.console import countdown, counting, say
from graft.prediction.cut import Input, cut_inputs
from graft.prediction.inputs import Listed, check_name, list_lesions
from graft.prediction.lesions import Lesion
from graft.prediction.page import render_page
from graft.prediction.prediction import Failure, Prediction
from graft.prediction.predictor import Predictor, Result
from graft.prediction.results import MAPS, REPORT, write_predictions
from graft.release.fitted import FITTED

Further = Callable[[Path, Sequence[Prediction]], object]  # writes into a folder


@dataclass(frozen=True)
class Batch:
    """Predictions and failures of N lesions, in their order.

    Attributes:
        results: N.
        inputs: what the model saw, by the number of its prediction.
    """

    results: Sequence[Result]
    inputs: Mapping[int, Input]

    @property
    def failures(self) -> list[Failure]:
        """The lesions without a prediction."""
        return [result for result in self.results if isinstance(result, Failure)]

    @property
    def predictions(self) -> list[Prediction]:
        """The others."""
        return [result for result in self.results if not isinstance(result, Failure)]


def list_inputs(predictor: Predictor, paths: Sequence[Path]) -> list[Listed]:
    """List the lesions at paths. A path that cannot be used is one Failure."""
    listed: list[Listed] = []
    for path in paths:
        try:
            listed += list_lesions(path, predictor.form)
        except InputError as error:
            listed.append(check_name(Failure(Lesion(path), str(error))))
    return listed


def predict_listed(
    predictor: Predictor, listed: Sequence[Listed], given: Mapping[str, str], point: str
) -> Batch:
    """Predict for lesions, and print the failures as they are found.

    Args:
        predictor: the model.
        listed: lesions and failures.
        given: covariates that all lesions get.
        point: the name of the operating point.

    Raises:
        InputError: if the model does not read one of the covariates.
    """
    unknown = [name for name in given if name not in predictor.form.columns]
    if unknown:
        reads = ", ".join(predictor.form.columns) or "none"
        raise InputError(f"covariates: got {shown(unknown[0])}, expected some of: {reads}")
    results: dict[int, Result] = {}
    lesions = {}
    for number, found in enumerate(listed):
        if isinstance(found, Failure):
            results[number] = found
        else:
            covariates = {**found.covariates, **given}
            lesions[number] = replace(found, covariates=covariates)
    if len(lesions) > 1:
        with countdown("predict", len(lesions), "lesion") as show:
            cut = cut_inputs(predictor.form, list(lesions.values()), show)
    else:
        cut = cut_inputs(predictor.form, list(lesions.values()))
    inputs = {}
    for number, one in zip(lesions, cut, strict=True):
        if isinstance(one, Failure):
            results[number] = one
        else:
            inputs[number] = one
    predicted = predictor.predict_inputs(list(inputs.values()), point)
    results.update(zip(inputs, predicted, strict=True))
    ordered = [results[number] for number in range(len(listed))]
    return Batch(ordered, inputs)


def write_batch(
    folder: Path,
    predictor: Predictor,
    batch: Batch,
    explain: bool,
    report: bool,
    method: str,
    further: Further | None = None,
) -> None:
    """Write a folder with the table, JSON and, if wanted, maps and the page: all of it or nothing.

    Args:
        folder: is replaced, if it exists.
        predictor: the model.
        batch: its predictions.
        explain: whether to write a map for each scan.
        report: whether to write the page.
        method: that makes the maps, `occlusion` or `grad_cam`.
        further: writes further files about the predictions into the folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder) as partial:
        maps = _write_maps(partial, predictor, batch, method) if explain else {}
        if report:
            page = render_page(predictor, batch.results, batch.inputs, method)
            (partial / REPORT).write_text(page, encoding="utf-8")
        write_predictions(partial, predictor, batch.results, maps)
        if further is not None:
            further(partial, batch.predictions)


def _write_maps(folder: Path, predictor: Predictor, batch: Batch, method: str) -> dict[int, str]:
    """Write the maps of all scans; returns their paths in the folder."""
    wanted = []
    for number, one in batch.inputs.items():
        if one.lesion.position is not None and not isinstance(batch.results[number], Failure):
            wanted.append(number)
    if not wanted:
        say("explain: no map, because pictures and arrays have no grid in mm")
        return {}
    (folder / MAPS).mkdir()
    maps = {}
    with counting("explain", len(wanted), "map") as show:
        for number in wanted:
            path = f"{MAPS}/{number + 1:04}.nii.gz"
            predictor.explain_input(batch.inputs[number], method).write(folder / path)
            maps[number] = path
            show("")
    return maps


def print_batch(predictor: Predictor, batch: Batch) -> None:
    """Print what the model says: in full for one lesion, else as a line for each."""
    if predictor.fitted is None:
        note = (
            f"{predictor.folder}: has no {FITTED}, as the model that evaluate chooses has, so "
            "there is no calibration, no operating point and no check whether a scan is familiar"
        )
        print(note, file=sys.stderr)
    for failure in batch.failures:
        print(f"error: {failure.message}", file=sys.stderr)
    predictions = batch.predictions
    if len(batch.results) == 1 and predictions:
        say(repr(predictions[0]))
        return
    disease = predictor.classes[-1]
    for found in predictions:
        probability = (found.calibrated or found.probabilities)[disease]
        note = f" ({found.known_note})" if found.known else ""
        say(f"{found.lesion.name}: {found.answer}, {disease} {probability:.3f}{note}")
    summary = (
        f"{counted(len(predictions), 'prediction')}, {counted(len(batch.failures), 'failure')}"
    )
    print(summary, file=sys.stderr)
