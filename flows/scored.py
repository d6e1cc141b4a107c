"""Publishes predictions and their drift report as JSON documents at known addresses.

<destination>/runs/<start>-<model>.json    every run
<destination>/scored.json                  which lesions each run has, made from the runs
<destination>/latest.json                  the newest run, written last
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import fsspec
import jsonschema
from prefect import get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.events import emit_event

from flows.publish import LATEST, publish_task, read_document, write_document
from graft.common.files import InputError, read_json
from graft.common.shown import counted, one_line

SCHEMA = Path(__file__).with_name("scored.schema.json")
SCHEMA_VERSION = 1
INDEX = "scored.json"
ALARM = "graft.drift.alarm"  # the name of the event
DIGITS = 12  # of the model in a name


def file_name(document: Mapping) -> str:
    """Return the name of a run's own file: its start and its model."""
    started = document["started"].replace("-", "").replace(":", "")
    return f"{started}-{document['model'][:DIGITS]}.json"


@publish_task
def publish_scores(document: dict, destination: str) -> None:
    """Write the run's own file, and everything that follows from it.

    Publishing the same document again changes nothing.
    """
    jsonschema.Draft202012Validator(read_json(SCHEMA)).validate(document)
    files, folder = fsspec.url_to_fs(destination)
    write_document(files, f"{folder}/runs/{file_name(document)}", document)
    index_runs(destination)


def index_runs(destination: str) -> dict[str, dict]:
    """Bring the index and the latest document up to date with the runs, and return the index.

    A run counts as published once its own file is there, so a kill after that loses nothing: the
    next run indexes it and sends its alarm.

    Returns:
        The model and the keys of the lesions by the name of each run, the oldest first.
    """
    files, folder = fsspec.url_to_fs(destination)
    files.invalidate_cache()
    published = _published(files, folder)
    runs: dict[str, dict] = (_read(files, f"{folder}/{INDEX}") or {}).get("runs", {})
    unknown = sorted(published - set(runs))
    for name in unknown:
        document = _read(files, f"{folder}/runs/{name}") or {}
        show_run(document, f"{destination}/runs/{name}")
        rows = document["predictions"] + document["failures"]
        keys = [row["key"] for row in rows if row["key"]]
        runs[name] = {"model": document["model"], "keys": keys}
    if unknown:
        runs = dict(sorted(runs.items()))
        index = {"schema_version": SCHEMA_VERSION, "runs": runs}
        write_document(files, f"{folder}/{INDEX}", index)
    if runs:
        _point_to(files, folder, max(runs))
    return runs


def _point_to(files: fsspec.AbstractFileSystem, folder: str, newest: str) -> None:
    """Make latest.json the document of the newest run, unless it is."""
    latest = _read(files, f"{folder}/{LATEST}")
    if latest is None or file_name(latest) != newest:
        document = _read(files, f"{folder}/runs/{newest}")
        assert document is not None
        write_document(files, f"{folder}/{LATEST}", document)


def scored_keys(runs: Mapping[str, Mapping], model: str) -> set[str]:
    """Return the keys of the lesions that a model has scored."""
    found: set[str] = set()
    for run in runs.values():
        if run["model"] == model:
            found.update(run["keys"])
    return found


def earlier_predictions(
    runs: Mapping[str, Mapping], model: str, destination: str, scans: int
) -> Iterator[list[dict]]:
    """Yield the predictions of a model's last runs, the newest first, until they have enough scans.

    Args:
        runs: the index.
        model: whose runs are read.
        destination: where they are published.
        scans: how many are enough.
    """
    files, folder = fsspec.url_to_fs(destination)
    for name in sorted(runs, reverse=True):
        if scans <= 0:
            return
        if runs[name]["model"] == model and runs[name]["keys"]:
            document = _read(files, f"{folder}/runs/{name}")
            if document and document["predictions"]:
                scans -= len({row["scan"] for row in document["predictions"]})
                yield document["predictions"]


def show_run(document: Mapping, address: str) -> None:
    """Show a run in Prefect, and send an event if its scans have drifted.

    The identifier of the event follows from the address, so a repeated one counts once.
    """
    get_run_logger().info("published %s", address)
    create_link_artifact(key="scored", link=address, description="The document of this run")
    create_markdown_artifact(key="scoring", markdown=_summary(document))
    drift = document["drift"]
    if not drift:
        return
    create_table_artifact(key="drift", table=_drift_table(drift), description="Tests for drift")
    if drift["alarm"]:
        alarms = [test["name"] for test in drift["tests"] if test["is_alarm"]]
        get_run_logger().warning("drift: %s", ", ".join(alarms))
        emit_event(
            ALARM,
            resource={
                "prefect.resource.id": f"graft.model.{document['model'][:DIGITS]}",
                "prefect.resource.name": "a model of graft",
            },
            payload={"tests": alarms, "scans": drift["scans"], "document": address},
            id=uuid5(NAMESPACE_URL, address),
        )


def _read(files: fsspec.AbstractFileSystem, path: str) -> dict | None:
    """Return the document at a path, or None if there is none.

    Raises:
        InputError: if it is no JSON object.
    """
    try:
        content = read_document(files, path)
    except ValueError as error:
        raise InputError(f"destination: {_short(path)} is no JSON, restore or delete it") from error
    return content


def _short(path: str) -> str:
    return path.rpartition("/")[2]


def _published(files: fsspec.AbstractFileSystem, folder: str) -> set[str]:
    """Return the names of the runs.

    Raises:
        InputError: if the destination cannot be read.
    """
    try:
        names = files.find(f"{folder}/runs", maxdepth=1)
    except Exception as error:  # of whatever library serves the URL
        found = one_line(str(error)) or type(error).__name__
        raise InputError(f"destination: cannot be read ({found})") from error
    return {Path(name).name for name in names if name.endswith(".json")}


def _summary(document: Mapping) -> str:
    """Return Markdown that says what a run did, without any name of a scan."""
    failed = len(document["failures"])
    lines = [f"{counted(len(document['predictions']), 'lesion')} predicted, {failed} failed."]
    drift = document["drift"]
    if drift is None:
        lines.append(f"No test for drift: {document['no_drift']}.")
    elif drift["alarm"]:
        lines.append(f"**Alarm:** the last {drift['scans']} scans differ from the reference.")
    else:
        lines.append(f"No alarm: the last {drift['scans']} scans look like the reference.")
    reasons = Counter(row["reason"] for row in document["failures"])
    lines += [f"- {number} times: {one_line(reason)}" for reason, number in reasons.most_common(10)]
    return "\n\n".join(lines)


def _drift_table(drift: Mapping) -> list[dict[str, str]]:
    rows = []
    for test in drift["tests"]:
        row = {"measurement": test["name"], "topic": test["topic"], "test": test["test"]}
        row["p (Holm)"] = f"{test['p_holm']:.4f}"
        row["alarm"] = "yes" if test["is_alarm"] else ""
        rows.append(row)
    return rows
