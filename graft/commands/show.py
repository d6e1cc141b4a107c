"""`graft show`: what a model is."""

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder of the model.")
    ] = Path("models/best"),
) -> None:
    """Print what a model is."""
    from graft.console import say
    from graft.prediction.about import describe
    from graft.prediction.predictor import load

    for line in describe(load(model, "cpu")):
        say(line)
