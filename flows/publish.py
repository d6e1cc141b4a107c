"""Publishes the metrics of a run as JSON documents at known addresses.

<destination>/runs/<start>-<revision>.json    every run
<destination>/latest.json                     the newest run that kept its gates
"""

import json
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem
from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.document import file_name
from flows.tables import comparison, metrics_table
from graft.common.files import InputError, whole_file, write_json
from graft.common.gates import Gate, gate_failures

KEPT = Path(".graft/published")  # a copy of each document stays here in any case
LATEST = "latest.json"
publish_task = task(
    name="publish",
    task_run_name="publish",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=[2, 10, 30],
)  # of every flow: publishing the same document again changes nothing


def check_destination(destination: str | None, root: Path) -> None:
    """Raise InputError if nothing can be published to a destination, before anything runs.

    Args:
        destination: a folder or fsspec URL, or None to publish nothing.
        root: the folder of the repository, among whose own files nothing is published.
    """
    if destination is None:
        return
    expected = "expected a folder other than the repository itself, or a URL such as s3://bucket"
    if not destination.strip():
        raise InputError(f"destination: got {destination!r}, {expected}")
    try:
        files, folder = fsspec.url_to_fs(destination)
    except (ValueError, ImportError) as error:
        raise InputError(f"destination: got {destination!r}, {expected} ({error})") from error
    if not isinstance(files, LocalFileSystem):
        return
    path = Path(folder).resolve()
    if path == root.resolve() or (path.exists() and not path.is_dir()):
        raise InputError(f"destination: got {destination!r}, {expected}")


def publish_run(document: dict, destination: str | None, gates: list[Gate]) -> State:
    """Keep the document, show it in Prefect, and publish it if there is a destination.

    The state has failed if publishing failed or if the metrics do not keep a gate.
    """
    kept = KEPT / file_name(document)
    with whole_file(kept) as path:
        write_json(path, document)
    rows = metrics_table(document["metrics"])
    create_table_artifact(key="metrics", table=rows, description="Metrics with their intervals")
    if destination is None:
        problems = gate_failures(gates, document["metrics"], {})
        if problems:
            return Failed(message="; ".join(problems))
        return Completed(message="not published: no destination")
    state = publish_document(document, destination, gates, return_state=True)
    if state.is_completed():
        return Completed(message=state.message)
    return Failed(message=f"{state.message}; the document is kept in {kept}")


@publish_task
def publish_document(document: dict, destination: str, gates: list[Gate]) -> State:
    """Write the run's own file and then latest.json, each whole or not at all.

    Publishing the same document again changes nothing. If the metrics do not keep a gate,
    latest.json stays as it was and the state has failed.
    """
    files, folder = fsspec.url_to_fs(destination)
    before = read_document(files, f"{folder}/{LATEST}")
    own = f"runs/{file_name(document)}"
    address = f"{destination}/{own}"
    write_document(files, f"{folder}/{own}", document)
    get_run_logger().info("published %s", address)
    create_markdown_artifact(key="comparison", markdown=comparison(document, before))
    create_link_artifact(key="published", link=address, description="The document of this run")
    former = before["metrics"] if before else {}
    problems = gate_failures(gates, document["metrics"], former)
    if problems:
        return Failed(name="GateClosed", message=f"{LATEST} stays as it was: {'; '.join(problems)}")
    write_document(files, f"{folder}/{LATEST}", document)
    return Completed(message=f"published {address}")


def read_document(files: fsspec.AbstractFileSystem, path: str) -> dict | None:
    """Return the document at a path, or None if there is none."""
    try:
        return json.loads(files.cat_file(path))
    except FileNotFoundError:
        return None


def write_document(files: fsspec.AbstractFileSystem, path: str, document: dict) -> None:
    """Write a document whole or not at all: object stores ensure this, a folder needs a rename."""
    content = (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
    if not isinstance(files, LocalFileSystem):
        files.pipe_file(path, content)
        return
    with whole_file(Path(path)) as partial:
        partial.write_bytes(content)
