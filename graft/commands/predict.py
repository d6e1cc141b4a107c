"""`graft predict`."""

from pathlib import Path
from typing import Annotated

import typer


def main(
    inputs: Annotated[list[Path], typer.Argument(help="Scans, pictures, arrays or folders.")],
    model: Annotated[Path, typer.Option(help="The folder of the model.")] = Path("models/best"),
) -> None:
    """Predict the classes of the lesions of new scans."""
    from graft.common.files import InputError

    raise InputError("graft predict: is not there yet")
