"""Scans that a model has predicted, with one lesion each, read from files of predictions."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.common.documents import check_schema
from graft.common.files import DIGITS, InputError, read_json, sha256
from graft.common.shown import one_line

SCHEMA = Path(__file__).with_name("rows.schema.json")
PROBABILITY = "probability"  # calibrated, of the disease: the last class


@dataclass(frozen=True)
class Scan:
    """One lesion of a scan that a model has predicted.

    Attributes:
        values: by measurement, those that are known, with the names of `Familiar.reference`.
        is_refused: whether the input is unlike those of the training.
    """

    values: Mapping[str, float]
    is_refused: bool


def read_scans(paths: Sequence[Path], model: str) -> list[Scan]:
    """Read the scans of files of predictions, in the order of the files and of their rows.

    Lesions of one scan are not independent, so one lesion stands for its scan. A digest chooses it,
    so that the choice depends neither on the order of the rows nor on what was measured. A mean
    over the lesions would vary less than the single lesions of the reference do.

    Args:
        paths: files that `graft predict` wrote, the oldest first.
        model: the SHA-256 of the model.

    Raises:
        InputError: if a file cannot be read, is given twice, or has a row of another model.
    """
    read: dict[str, Path] = {}
    scans: list[Scan] = []
    for path in paths:
        before = read.setdefault(sha256(path), path)
        if before != path or paths.count(path) > 1:
            raise InputError(f"{path}: has the content of {before}, expected each night once")
        scans += _read_night(path, model)
    return scans


def _read_night(path: Path, model: str) -> list[Scan]:
    lesions: dict[tuple, list[dict]] = {}
    for row in _read_rows(path, model):
        lesions.setdefault((row["scan"], row.get("row")), []).append(row)
    return [_as_scan(min(rows, key=_digest_of_place)) for rows in lesions.values()]


def _read_rows(path: Path, model: str) -> list[dict]:
    from jsonschema import ValidationError  # late: it takes a tenth of a second

    content = read_json(path)
    try:
        check_schema(content, SCHEMA)
    except ValidationError as error:
        found = one_line(error.message)
        raise InputError(
            f"{path}: {error.json_path}: {found}; expected the predictions.json of `graft predict`"
        ) from error
    for number, row in enumerate(content["predictions"]):
        if row["model"] != model:
            raise InputError(
                f"{path}: $.predictions[{number}].model: is {row['model'][:DIGITS]!r}, "
                f"expected {model[:DIGITS]!r}, the model of the reference"
            )
    return content["predictions"]


def _digest_of_place(row: Mapping) -> str:
    place = json.dumps([row["scan"], row.get("lesion")], sort_keys=True)
    return hashlib.sha256(place.encode()).hexdigest()


def _as_scan(row: Mapping) -> Scan:
    values = {name: value for name, value in row["measurements"].items() if value is not None}
    if row["calibrated"]:
        *_, disease = row["calibrated"].values()
        values[PROBABILITY] = disease
    return Scan(values, bool(row["refused"]))
