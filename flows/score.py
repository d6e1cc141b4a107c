"""The flow that predicts new scans and looks for drift.

    python -m flows.score /data/incoming /data/scored

It runs `graft predict` and `graft drift`, and knows neither what a model is nor how drift is
tested.
"""

import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.alone import run_alone
from flows.command_line import exit_with_state, run_command_line
from flows.document import format_time
from flows.fetch import Fetcher
from flows.incoming import Source, list_rows
from flows.model_commands import ModelCommands, Rows
from flows.new_lesions import NewLesion, find_new_lesions
from flows.pipeline import LOCK, ROOT
from flows.publish import check_destination
from flows.scored import (
    SCHEMA_VERSION,
    earlier_predictions,
    index_runs,
    publish_scores,
    scored_keys,
)
from graft.common.files import InputError, read_json, whole_file, write_json
from graft.common.shown import counted

WORK = ROOT / ".graft/score"  # copies of scans, deleted when the run ends or the next one begins
KNOWN = ROOT / ".graft/scored_contents.json"  # digests of contents, to copy each scan once
WINDOW = 50  # scans
FEWEST = 10  # scans that `graft drift` compares
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

    A lesion is new until a run with this model has published a prediction for its content, or a
    failure that another run would repeat: not one to fetch the scan, or for lack of memory.

    Args:
        source: folder or fsspec URL with manifest.csv and its scans, or with pictures.
        destination: folder or fsspec URL to publish under.
        model: the folder of the model, relative to that of the repository.
        window: how many of the last scans are compared with those of the training, at least 10.
        most: how many lesions one run predicts; the next run takes the others.
    """
    return run_alone(
        lambda: _score(source, destination, ROOT / model, window, most), LOCK, ROOT, WORK
    )


def _score(source: str, destination: str, model: Path, window: int, most: int) -> State:
    started = datetime.now(UTC)
    check_destination(destination, ROOT)
    for name, value, least in (("window", window, FEWEST), ("most", most, 1)):
        if value < least:
            raise InputError(f"{name}: got {value}, expected at least {least}")
    commands = ModelCommands(ROOT, model, WORK)
    digest = commands.digest()
    runs = index_runs(destination)
    shutil.rmtree(WORK, ignore_errors=True)
    commands.scans.mkdir(parents=True)
    lesions, failures = _find(source, commands, scored_keys(runs, digest), most)
    get_run_logger().info("%s to predict", counted(len(lesions), "new lesion"))
    predictions: Rows = []
    drift: dict | None = None
    no_drift: str | None = "no new scans"
    problem = ""
    if lesions:
        predictions, failed = commands.predict(lesions)
        failures += failed
        if {commands.digest(), *(row["model"] for row in predictions)} != {digest}:
            raise InputError("model: changed during the run, expected the same until its end")
    if predictions:
        try:
            earlier = earlier_predictions(runs, digest, destination, window)
            drift, no_drift = commands.drift([predictions, *earlier], window)
        except InputError as error:  # the predictions are published all the same
            no_drift, problem = "graft drift failed", f"; {error}"
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
    state = publish_scores(document, destination, return_state=True)
    if not state.is_completed():
        return Failed(message=f"not published, so the next run predicts again: {state.message}")
    count = counted(len(predictions), "lesion")
    ending = Failed if problem else Completed
    return ending(message=f"{count} predicted, {len(failures)} failed{problem}")


def _find(
    source: str, commands: ModelCommands, scored: Collection[str], most: int
) -> tuple[list[NewLesion], Rows]:
    """Find the new lesions of the source and copy their files."""
    place = Source.open(source)
    fetcher = Fetcher(place, commands.scans, _read_known())
    try:
        return find_new_lesions(list_rows(place), fetcher, commands.covariates(), scored, most)
    finally:
        with whole_file(KNOWN) as path:
            write_json(path, fetcher.seen)


def _read_known() -> dict[str, str]:
    """Read the digests of earlier runs; without them, scans are copied once more."""
    try:
        return read_json(KNOWN)
    except InputError:
        return {}


def main(
    source: Annotated[
        str, typer.Argument(help="The folder or fsspec URL with manifest.csv, or with pictures.")
    ],
    destination: Annotated[str, typer.Argument(help="The folder or fsspec URL to publish under.")],
    model: Annotated[str, typer.Option(help="The folder of the model.")] = "models/best",
    window: Annotated[
        int, typer.Option(min=FEWEST, help="How many of the last scans are tested for drift.")
    ] = WINDOW,
    most: Annotated[int, typer.Option(min=1, help="How many lesions one run predicts.")] = MOST,
) -> None:
    """Predict the new scans of a folder or bucket, look for drift, and publish both."""
    exit_with_state(score(source, destination, model, window, most, return_state=True))


if __name__ == "__main__":
    run_command_line(main)
