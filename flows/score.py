"""The flow that predicts new scans and looks for drift.

    python -m flows.score /data/incoming /data/scored

It runs `graft predict` and `graft drift`, and knows neither what a model is nor how drift is
tested.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import command
from flows.command_line import exit_with_state, run_command_line
from flows.document import format_time
from flows.incoming import Fetcher, Source, list_rows
from flows.locks import hold_first_free
from flows.new_lesions import NewLesion, find_new_lesions, write_manifest
from flows.pipeline import LOCK, ROOT
from flows.publish import check_destination
from flows.scored import (
    SCHEMA_VERSION,
    earlier_predictions,
    index_runs,
    publish_scores,
    scored_keys,
)
from graft.common.files import InputError, read_json, sha256, whole_file, write_json
from graft.common.shown import counted

WORK = ROOT / ".graft/score"  # copies of scans, deleted when the run ends or the next one begins
SCANS = WORK / "scans"
FIRST_LINE = 2  # of the lesions in the manifest that a flow writes
WINDOW = 50  # scans
KNOWN = ROOT / ".graft/scored_contents.json"  # digests of contents, to copy each scan once
FITTED = "fitted.json"  # of a model folder; older ones have none
MOST = 1000  # lesions in one run; the next one takes the others


@flow(name="score")
def score(
    source: str,
    destination: str,
    model: str = "models/best",
    window: int = WINDOW,
    most: int = MOST,
) -> State:
    """Predict the new scans of a folder or bucket, look for drift, and publish both.

    A scan is new until a run with this model has published a prediction for its content.

    Args:
        source: folder or fsspec URL with manifest.csv and its scans, or with pictures.
        destination: folder or fsspec URL to publish under.
        model: the folder of the model, relative to that of the repository.
        window: how many of the last scans are compared with those of the training.
        most: how many lesions one run predicts; the next run takes the others.
    """
    LOCK.parent.mkdir(exist_ok=True)
    with hold_first_free([LOCK], "this folder"):
        try:
            return _score(source, destination, ROOT / model, window, most)
        except InputError as error:
            return Failed(message=_without_root(str(error)))
        finally:
            command.end_all()
            shutil.rmtree(WORK, ignore_errors=True)


def _score(source: str, destination: str, model: Path, window: int, most: int) -> State:
    started = datetime.now(UTC)
    check_destination(destination, ROOT)
    digest = digest_model(model)
    runs = index_runs(destination)
    shutil.rmtree(WORK, ignore_errors=True)
    SCANS.mkdir(parents=True)
    covariates = _covariates(model)
    lesions, failures = _find(source, covariates, scored_keys(runs, digest), most)
    get_run_logger().info("%s to predict", counted(len(lesions), "new lesion"))
    predictions: list[dict] = []
    drift = None
    no_drift: str | None = "no new scans"
    if lesions:
        predictions, failed = _predict(lesions, model)
        failures += failed
        earlier = earlier_predictions(runs, digest, destination, window)
        drift, no_drift = _drift(predictions, earlier, model, window)
    document = {
        "schema_version": SCHEMA_VERSION,
        "started": format_time(started),
        "ended": format_time(datetime.now(UTC)),
        "model": digest,
        "predictions": predictions,
        "failures": failures,
        "drift": drift,
        "no_drift": no_drift,
    }
    publish_scores(document, destination)
    count = counted(len(predictions), "lesion")
    return Completed(message=f"{count} predicted, {len(failures)} failed")


def _covariates(model: Path) -> list[str]:
    """Return the names of the clinical covariates that a model reads."""
    columns = read_json(model / "card.json").get("covariates", [])
    return [column["name"] for column in columns]


def _find(
    source: str, covariates: list[str], scored: Collection[str], most: int
) -> tuple[list[NewLesion], list[dict]]:
    place = Source.open(source)
    known = _read_known()
    try:
        fetcher = Fetcher(place, SCANS, known)
        return find_new_lesions(list_rows(place), fetcher, covariates, scored, most)
    finally:
        with whole_file(KNOWN) as path:
            write_json(path, known)


def _read_known() -> dict[str, str]:
    """Read the digests of earlier runs; without them, scans are copied once more."""
    try:
        return read_json(KNOWN)
    except InputError:
        return {}


def digest_model(folder: Path) -> str:
    """Return the SHA-256 of a model, as `graft predict` writes it.

    Raises:
        InputError: if the folder has no model.
    """
    digests = {name: sha256(folder / name) for name in ("card.json", "weights.safetensors")}
    if (folder / FITTED).exists():
        digests[FITTED] = sha256(folder / FITTED)
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def _predict(lesions: Sequence[NewLesion], model: Path) -> tuple[list[dict], list[dict]]:
    """Predict lesions; returns the predictions and the failures, as they are published."""
    write_manifest(SCANS, lesions)
    out = WORK / "predictions"
    ended = _graft("predict", SCANS, "--model", model, "--out", out, is_quiet=True)
    path = out / "predictions.json"
    if not path.exists():
        raise InputError(f"graft predict ended with {ended.status}: {_last(ended)}")
    content = read_json(path)
    predictions = [_publishable(row, lesions) for row in content["predictions"]]
    failures = [_publishable(row, lesions) for row in content["failures"]]
    return predictions, failures


def _publishable(row: Mapping, lesions: Sequence[NewLesion]) -> dict:
    """Return a row that names its scan by its content and its line in the source."""
    lesion = lesions[row["line"] - FIRST_LINE]
    kept = {name: value for name, value in row.items() if name != "map"}
    return {**kept, "scan": lesion.scan, "line": lesion.line, "key": lesion.key}


def _drift(
    predictions: list[dict], earlier: Iterator[list[dict]], model: Path, window: int
) -> tuple[dict | None, str | None]:
    """Compare the last scans with the reference; returns drift.json, or why there is none."""
    if not predictions:
        return None, "no new scans"
    nights = [predictions, *earlier]
    files = []
    for number, rows in enumerate(reversed(nights)):
        files.append(WORK / f"night-{number:04d}.json")
        write_json(files[-1], {"predictions": rows})
    out = WORK / "drift.json"
    ended = _graft("drift", *files, "--model", model, "--window", str(window), "--out", out)
    if ended.status:
        return None, _last(ended)
    return read_json(out), None


def _graft(*words: str | Path, is_quiet: bool = False) -> command.Ended:
    """Run a command of graft.

    Args:
        words: the command and its arguments. Paths become relative to the repository, so that no
            log has others.
        is_quiet: whether only errors and progress are logged.
    """
    line = [sys.executable, "-m", "graft", *(_without_root(str(word)) for word in words)]
    if is_quiet:
        line = ["sh", "-c", 'exec "$@" > /dev/null', "graft", *line]
    return command.run_command(line, ROOT)


def _without_root(text: str) -> str:
    return text.replace(f"{ROOT}/", "")


def _last(ended: command.Ended) -> str:
    lines = [line for line in ended.tail if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else f"it ended with {ended.status}"


def main(
    source: Annotated[
        str, typer.Argument(help="The folder or fsspec URL with manifest.csv, or with pictures.")
    ],
    destination: Annotated[str, typer.Argument(help="The folder or fsspec URL to publish under.")],
    model: Annotated[str, typer.Option(help="The folder of the model.")] = "models/best",
    window: Annotated[
        int, typer.Option(min=1, help="How many of the last scans are tested for drift.")
    ] = WINDOW,
    most: Annotated[int, typer.Option(min=1, help="How many lesions one run predicts.")] = MOST,
) -> None:
    """Predict the new scans of a folder or bucket, look for drift, and publish both."""
    exit_with_state(score(source, destination, model, window, most, return_state=True))


if __name__ == "__main__":
    run_command_line(main)
