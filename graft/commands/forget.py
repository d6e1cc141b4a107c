"""`graft forget`: what a project has of a patient, and its removal."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from graft.forgetting.plan import Layout

PARAMETERS = Path("params.yaml")


def main(
    patient: Annotated[
        str | None,
        typer.Argument(
            metavar="PATIENT",
            help="The name or number in the raw data, or a pseudonym. `-` reads it from standard "
            "input. Without it graft asks, so that it is in no history of a shell.",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Read PATIENT from this file.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it. Without it, graft only shows what it would do.")
    ] = False,
    models: Annotated[
        bool, typer.Option("--models", help="Delete the models that come from the patient too.")
    ] = False,
    found: Annotated[
        bool,
        typer.Option(
            "--found", help="Delete any other file that has the patient, unless git tracks it."
        ),
    ] = False,
    search: Annotated[
        bool, typer.Option("--search", help="Only search, also after the patient was forgotten.")
    ] = False,
) -> None:
    """Remove a patient from this project, and say which models and older versions are left."""
    if patient is not None and file is not None:
        raise typer.BadParameter("got PATIENT and --file, expected one of them")
    if search and (yes or models or found):
        raise typer.BadParameter("--search changes nothing, expected no other option beside it")
    text = _read_patient(patient, file)

    from graft.forgetting.forget import Wish, forget, search_only

    if search:
        is_clean = search_only(Path(), text, PARAMETERS, _layout())
    else:
        wish = Wish(yes, models, found)
        is_clean = forget(Path(), text, PARAMETERS, _layout(), wish)
    if not is_clean:
        raise typer.Exit(1)


def _read_patient(patient: str | None, file: Path | None) -> str:
    """The patient, from wherever the user has it."""
    import sys

    from graft.common.files import InputError, check_regular_file

    if file is not None:
        check_regular_file(file)
        try:
            return file.read_text(encoding="utf-8").strip()
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: is no text in UTF-8, expected a line") from error
    if patient == "-":
        return sys.stdin.readline().strip()
    if patient is None and not sys.stdin.isatty():
        raise typer.BadParameter("got no PATIENT and no terminal to ask, expected -, or --file")
    if patient is None:
        return str(typer.prompt("Patient (not shown)", hide_input=True)).strip()
    return patient


def _layout() -> "Layout":
    """Where the stages of a project keep their outputs and caches."""
    from graft.forgetting.plan import Layout

    return Layout(
        processed=Path("data/processed"),
        splits=Path("data/splits"),
        without_labels=Path("data/images_without_labels.json"),
        caches=(
            ".graft/scans/{domain}",
            ".graft/files/{domain}.csv",
            ".graft/duplicates/{domain}.csv",
            ".graft/features/{domain}.npz",
            ".graft/checkpoints",
            ".graft/trainings",
            ".graft/verified",
            ".graft/score",
            ".graft/remote",
        ),
    )
