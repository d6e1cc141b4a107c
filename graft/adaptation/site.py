"""The lesions of a site: what a model sees of them, and the labels that are known."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from graft.common.files import InputError
from graft.common.shown import shown
from graft.console import countdown
from graft.ingest.rows import MANIFEST, REQUIRED_TO_PREDICT, iterate_cells
from graft.prediction.cut import Input, cut_inputs
from graft.prediction.inputs import list_lesions
from graft.prediction.prediction import Failure, Prediction
from graft.prediction.predictor import Predictor

UNKNOWN = -1  # the code of a lesion without a label


@dataclass(frozen=True)
class Site:
    """N lesions of a site.

    Attributes:
        inputs: N, what the model sees of them.
        labels: (N,) class codes, UNKNOWN without a label.
        patients: (N,) numbers of the patients, from 0.
        raw: (N, C) probabilities of the model.
        measured: (N,) by name, as `graft predict` measures inputs; NaN if unknown.
        refused: how many of the N the model refuses, because they are unlike its training.
        failures: how many further lesions cannot be used.
    """

    inputs: Sequence[Input]
    labels: np.ndarray
    patients: np.ndarray
    raw: np.ndarray
    measured: dict[str, np.ndarray]
    refused: int
    failures: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labelled(self) -> np.ndarray:
        """The numbers of the lesions with a label."""
        return np.flatnonzero(self.labels != UNKNOWN)


def read_site(path: Path, predictor: Predictor) -> Site:
    """Read the lesions of a site, and predict them. A scan that cannot be used is left out.

    Args:
        path: a manifest as `graft predict` takes it, or its folder. Its labels may be empty.
        predictor: the model.

    Raises:
        InputError: if the manifest cannot be used, or no lesion can.
    """
    if not path.exists():
        raise InputError(f"{path}: is missing, expected a manifest (.csv) or its folder")
    manifest = path / MANIFEST if path.is_dir() else path
    if manifest.suffix.lower() != ".csv":
        raise InputError(f"{path}: is no table, expected a manifest (.csv) or its folder")
    labels, patients = read_labels(manifest, predictor.classes)
    listed = list_lesions(manifest, predictor.form)
    lesions = [one for one in listed if not isinstance(one, Failure)]
    with countdown("adapt", len(lesions), "lesion") as show:
        cut = cut_inputs(predictor.form, lesions, show)
    inputs = [one for one in cut if isinstance(one, Input)]
    predicted = predictor.predict_inputs(inputs)
    failures = [one for one in (*listed, *cut, *predicted) if isinstance(one, Failure)]
    for failure in failures:
        print(f"error: {failure.message}", file=sys.stderr)
    pairs = list(zip(inputs, predicted, strict=True))
    usable = [(one, found) for one, found in pairs if isinstance(found, Prediction)]
    if not usable:
        raise InputError(f"{manifest}: has no lesion that can be used, expected at least one")
    lines = [one.lesion.line for one, _ in usable]
    found = [prediction for _, prediction in usable]
    return Site(
        inputs=[one for one, _ in usable],
        labels=np.array([labels[line] for line in lines]),
        patients=np.unique([patients[line] for line in lines], return_inverse=True)[1],
        raw=probabilities_of(found),
        measured=measured_of(found),
        refused=sum(bool(prediction.refused) for prediction in found),
        failures=len(failures),
    )


def read_labels(
    manifest: Path, classes: Sequence[str]
) -> tuple[dict[int | None, int], dict[int | None, str]]:
    """Read the class codes and the patients by the line of a manifest.

    Without a patient, a scan is one. Labelled lesions need a patient, because nothing is scored on
    the patients that it was fitted on.

    Raises:
        InputError: if a label is unknown, a labelled lesion has no patient, or a scan has two.
    """
    labels: dict[int | None, int] = {}
    patients: dict[int | None, str] = {}
    owners: dict[str, str] = {}
    for line, cells in iterate_cells(manifest, REQUIRED_TO_PREDICT):
        label, patient = cells.get("label", ""), cells.get("patient", "")
        if label and label not in classes:
            raise InputError(
                f"{manifest}:{line}: label is {shown(label)}, expected one of "
                f"{', '.join(classes)}, or nothing if it is not known"
            )
        if label and not patient:
            raise InputError(
                f"{manifest}:{line}: has a label and no patient, expected both (column patient)"
            )
        labels[line] = classes.index(label) if label else UNKNOWN
        patients[line] = f"patient {patient}" if patient else f"scan {cells['image']}"
        if owners.setdefault(cells["image"], patients[line]) != patients[line]:
            raise InputError(
                f"{manifest}:{line}: the scan belongs to another patient on an earlier line, "
                "expected one patient per scan"
            )
    return labels, patients


def map_inputs(site: Site, mapped: Sequence[np.ndarray]) -> list[Input]:
    """The inputs with other patches."""
    return [replace(one, image=image) for one, image in zip(site.inputs, mapped, strict=True)]


def probabilities_of(predictions: Sequence[Prediction]) -> np.ndarray:
    """The raw probabilities (N, C)."""
    return np.array([list(one.probabilities.values()) for one in predictions])


def measured_of(predictions: Sequence[Prediction]) -> dict[str, np.ndarray]:
    """What was measured of N inputs: (N,) by name, NaN if unknown."""
    names = predictions[0].measurements
    found = {}
    for name in names:
        found[name] = np.array([one.measurements[name] for one in predictions], dtype=float)
    return found
