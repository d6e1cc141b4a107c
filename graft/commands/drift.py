"""`graft drift`."""

from pathlib import Path
from typing import Annotated

import typer

ALARM = 3  # exit code


def main(
    predictions: Annotated[
        list[Path],
        typer.Argument(help="Files predictions.json of `graft predict`, the oldest night first."),
    ],
    model: Annotated[Path, typer.Option(help="The folder of the model.")] = Path("models/best"),
    window: Annotated[
        int, typer.Option(min=1, help="How many of the last scans are compared (default: 50).")
    ] = 50,
    out: Annotated[Path | None, typer.Option(help="The JSON file for the comparison.")] = None,
    fail_on_alarm: Annotated[
        bool, typer.Option("--fail-on-alarm", help=f"Exit with {ALARM} after an alarm.")
    ] = False,
) -> None:
    """Compare the scans of the last nights with those that a model was trained for.

    Prints a test for each measurement. Exit codes: 0; 1 if an input cannot be used; 3 after an
    alarm, with --fail-on-alarm.
    """
    from graft.common.files import whole_file, write_json
    from graft.console import say
    from graft.drift.document import assemble_document, read_reference
    from graft.drift.lines import table_lines
    from graft.drift.scans import read_scans
    from graft.prediction.identity import model_digest

    reference = read_reference(model)
    sha256 = model_digest(model)
    document = assemble_document(sha256, reference, read_scans(predictions, sha256), window)
    if out:
        with whole_file(out) as path:
            write_json(path, document)
    for line in table_lines(document):
        say(line)
    if document["alarm"] and fail_on_alarm:
        raise typer.Exit(ALARM)
