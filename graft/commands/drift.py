"""`graft drift`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.drift.window import FEWEST, WINDOW

ALARM = 3  # exit codes
TOO_FEW = 4


def main(
    predictions: Annotated[
        list[Path],
        typer.Argument(help="Files predictions.json of `graft predict`, the oldest night first."),
    ],
    model: Annotated[Path, typer.Option(help="The folder of the model.")] = Path("models/best"),
    window: Annotated[
        int, typer.Option(min=FEWEST, help="How many of the last scans are compared.")
    ] = WINDOW,
    out: Annotated[Path | None, typer.Option(help="The JSON file for the comparison.")] = None,
    fail_on_alarm: Annotated[
        bool, typer.Option("--fail-on-alarm", help=f"Exit with {ALARM} after an alarm.")
    ] = False,
) -> None:
    """Compare the scans of the last nights with those that a model was trained for.

    Prints a test for each measurement. Exit codes: 0; 1 if an input cannot be used; 3 after an
    alarm, with --fail-on-alarm; 4 if there are fewer than 10 scans.
    """
    import sys

    from graft.common.files import whole_file, write_json
    from graft.console import say
    from graft.drift.document import TooFewError, assemble_document, read_reference
    from graft.drift.lines import table_lines
    from graft.drift.scans import read_scans
    from graft.prediction.identity import model_digest

    reference = read_reference(model)
    sha256 = model_digest(model)
    scans = read_scans(predictions, sha256)
    try:
        document = assemble_document(sha256, reference, scans, window)
    except TooFewError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(TOO_FEW) from None
    if out:
        with whole_file(out) as path:
            write_json(path, document)
    for line in table_lines(document):
        say(line)
    if document["alarm"] and fail_on_alarm:
        raise typer.Exit(ALARM)
