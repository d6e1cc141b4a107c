"""The flow that adapts a model to the scans of a site.

    python -m flows.adapt /data/site /data/adapted

It runs `graft adapt`, and knows neither what a model is nor how it is adapted.
"""

import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import fsspec
import jsonschema
import typer
from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import command
from flows.alone import run_alone
from flows.command_line import exit_with_state, run_command_line
from flows.document import format_time
from flows.model_commands import without_root
from flows.pipeline import LOCK, ROOT
from flows.publish import LATEST, check_destination, publish_task, write_document
from graft.common.files import InputError, read_json

WORK = ROOT / ".graft/adapt"
SCHEMA = Path(__file__).with_name("adapted.schema.json")
SCHEMA_VERSION = 1
DIGITS = 12  # of the parent in a name


@flow(name="adapt")
def adapt(
    source: str,
    destination: str,
    to: str = "models/site",
    model: str = "models/best",
    anyway: bool = False,
) -> State:
    """Adapt a model to the scans of a site, and publish what it is worth.

    The new model is written only if labels show that it helps, or if `anyway` is true.

    Args:
        source: folder with manifest.csv and its scans, or the manifest; labels may be empty.
        destination: folder or fsspec URL to publish under.
        to: the folder of the new model, relative to that of the repository.
        model: the folder of the model, relative to that of the repository.
        anyway: whether the new model is written without a measured gain too.
    """
    return run_alone(lambda: _adapt(source, destination, to, model, anyway), LOCK, ROOT, WORK)


def _adapt(source: str, destination: str, to: str, model: str, anyway: bool) -> State:
    started = datetime.now(UTC)
    check_destination(destination, ROOT)
    if not (ROOT / source).exists():
        raise InputError("source: is missing, expected a folder with manifest.csv, or a manifest")
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    found = run_adapt(ROOT, source, to, model, anyway)
    document = {
        "schema_version": SCHEMA_VERSION,
        "started": format_time(started),
        "ended": format_time(datetime.now(UTC)),
        "adaptation": found,
    }
    text = (WORK / "report/adaptation.md").read_text(encoding="utf-8")
    state = publish_adaptation(document, text, destination, return_state=True)
    if not state.is_completed():
        return Failed(message=f"not published: {state.message}")
    failures = found["site"]["failures"]
    left_out = f"; {failures} lesions cannot be used" if failures else ""
    return Completed(message=f"{found['sentence']}{left_out}")


def run_adapt(root: Path, source: str, to: str, model: str, anyway: bool) -> dict:
    """Run `graft adapt`, and return its adapt.json.

    Raises:
        InputError: if the command wrote none.
    """
    report = WORK / "report"
    words = ["adapt", model, "--data", source, "--to", to, "--report", str(report)]
    line = [sys.executable, "-m", "graft", *words, *(["--anyway"] if anyway else [])]
    # What it prints may have names of scans, which belong in no log.
    quiet = ["sh", "-c", 'exec "$@" > /dev/null 2>&1', "graft", *line]
    ended = command.run_command([without_root(word, root) for word in quiet], root)
    path = report / "adapt.json"
    if not path.exists():
        raise InputError(
            f"graft adapt ended with {ended.status} and no report, expected one; run it by hand "
            "to see why, as its messages may have names"
        )
    return read_json(path)


@publish_task
def publish_adaptation(document: dict, text: str, destination: str) -> None:
    """Write the run's own file and then latest.json, and show the report in Prefect.

    Publishing the same document again changes nothing.
    """
    jsonschema.Draft202012Validator(read_json(SCHEMA)).validate(document)
    files, folder = fsspec.url_to_fs(destination)
    own = f"runs/{file_name(document)}"
    for name in (own, LATEST):
        write_document(files, f"{folder}/{name}", document)
    address = f"{destination}/{own}"
    get_run_logger().info("published %s", address)
    create_markdown_artifact(key="adaptation", markdown=text)
    create_link_artifact(key="adapted", link=address, description="The document of this run")


def file_name(document: Mapping) -> str:
    """Return the name of a run's own file: its start and the model before."""
    started = document["started"].replace("-", "").replace(":", "")
    return f"{started}-{document['adaptation']['parent'][:DIGITS]}.json"


def main(
    source: Annotated[str, typer.Argument(help="The folder with manifest.csv, or the manifest.")],
    destination: Annotated[str, typer.Argument(help="The folder or fsspec URL to publish under.")],
    to: Annotated[str, typer.Option(help="The folder of the new model.")] = "models/site",
    model: Annotated[str, typer.Option(help="The folder of the model.")] = "models/best",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Write the new model without a measured gain too.")
    ] = False,
) -> None:
    """Adapt a model to the scans of a site, and publish what it is worth."""
    exit_with_state(adapt(source, destination, to, model, anyway, return_state=True))


if __name__ == "__main__":
    run_command_line(main)
