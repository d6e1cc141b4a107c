"""`graft show`."""

from pathlib import Path
from typing import Annotated

import typer


def main(model: Annotated[Path, typer.Argument(help="The folder of the model.")]) -> None:
    """Print what a model is."""
    from graft.common.files import InputError

    raise InputError("graft show: is not there yet")
