"""The files of predictions: a table, JSON and maps, which appear together or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from graft.common.documents import check_schema
from graft.common.files import InputError, write_sealed
from graft.common.tables import write_csv
from graft.data.predictions import probability_columns
from graft.prediction.prediction import Failure, Prediction
from graft.prediction.predictor import Predictor, Result

SCHEMA = Path(__file__).with_name("predictions.schema.json")
DOCUMENT = "predictions.json"
TABLE = "predictions.csv"
MAPS = "maps"
REPORT = "report.html"
STRUCTURED_REPORTS = "sr"
WRITTEN = {DOCUMENT, TABLE, MAPS, REPORT, STRUCTURED_REPORTS}


def check_output(folder: Path) -> None:
    """Check that a folder for predictions is new, empty or has predictions, which are replaced.

    Raises:
        InputError: if there is anything else, which would be lost.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a folder for the predictions")
    others = sorted({path.name for path in folder.iterdir()} - WRITTEN)
    if others:
        raise InputError(
            f"{folder}: contains {others[0]!r}, expected a new folder, or one with nothing but "
            "predictions, which are replaced"
        )


def write_predictions(
    folder: Path, predictor: Predictor, results: Sequence[Result], maps: Mapping[int, str]
) -> None:
    """Write predictions.csv and predictions.json into a folder.

    Args:
        folder: receives them; other files are in it already.
        predictor: that made them.
        results: predictions and failures, in the order of the inputs.
        maps: the path of the map by the number of its prediction, relative to the folder.
    """
    document = predictions_document(predictor, results, maps)
    check_schema(document, SCHEMA)
    write_csv(folder / TABLE, predictions_table(predictor.classes, results))
    others = [path for path in folder.rglob("*") if path.is_file()]
    names = sorted(path.relative_to(folder).as_posix() for path in others)
    write_sealed(folder / DOCUMENT, document, names)


def predictions_document(
    predictor: Predictor, results: Sequence[Result], maps: Mapping[int, str]
) -> dict:
    """The content of predictions.json, as predictions.schema.json describes it."""
    fitted = predictor.fitted
    predictions = []
    failures = []
    for number, result in enumerate(results):
        if isinstance(result, Failure):
            failures.append(result.document())
        else:
            predictions.append({**result.document(), "map": maps.get(number)})
    return {
        "model": {
            "sha256": predictor.sha256,
            "name": fitted.name if fitted else None,
            "source": fitted.source if fitted else None,
            "target": fitted.target if fitted else None,
            "classes": predictor.classes,
        },
        "research_only": True,
        "predictions": predictions,
        "failures": failures,
    }


def predictions_table(classes: Sequence[str], results: Sequence[Result]) -> pd.DataFrame:
    """The content of predictions.csv, with a row per lesion, also for those without a prediction.

    A class has the columns `p_<class>` and `calibrated_<class>`. A set has its classes divided by
    a bar, as no name of a class has one.
    """
    rows = [_table_row(classes, result) for result in results]
    columns = dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row)
    return pd.DataFrame(rows, columns=list(columns), dtype=object)  # lines stay whole numbers


def _table_row(classes: Sequence[str], result: Result) -> dict[str, object]:
    found = result.document()
    position = found["lesion"] or dict.fromkeys(("x", "y", "z", "frame"))
    row = {name: found[name] for name in ("scan", "line", "row")} | position
    calibrated = [f"calibrated_{name}" for name in classes]
    if isinstance(result, Prediction):
        known = result.calibrated or {}
        row |= dict(zip(probability_columns(classes), result.probabilities.values(), strict=True))
        row |= {f"calibrated_{name}": known.get(name) for name in classes}
        row |= {name: found[name] for name in ("point", "threshold", "class")}
        row["set"] = None if result.plausible is None else "|".join(result.plausible)
        row["answer"] = result.answer
        row["refused"] = " ".join(reason.text for reason in result.refused)
        row |= result.measurements
        if result.known is not None:
            before = result.known.get("calibrated_without", {})
            row |= {f"known_{name}": result.known.get(name) for name in ("class", "lesions")}
            row |= {f"without_known_{name}": before.get(name) for name in classes}

        return {**row, "model": result.model, "error": ""}
    columns = [*probability_columns(classes), *calibrated]
    return {**row, **dict.fromkeys(columns), "error": result.reason}
