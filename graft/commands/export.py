"""`graft export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Form(StrEnum):
    """What a model can be exported as."""

    ONNX = "onnx"
    PT2 = "pt2"
    MONAI_BUNDLE = "monai-bundle"


def main(
    model: Annotated[Path, typer.Argument(help="The folder of the model.")],
    to: Annotated[Form, typer.Option(help="The form of the export.")],
    out: Annotated[Path, typer.Option(help="The file, or the folder of a bundle, to write.")],
    patches: Annotated[
        Path | None,
        typer.Option(help="A processed domain, to compare the export with the model on too."),
    ] = None,
) -> None:
    """Export a model as ONNX, as a program of PyTorch, or as a bundle of MONAI.

    The export is compared with the model, and kept if no probability differs by more than 1e-5.
    """
    from graft.console import say
    from graft.data.domain import Domain
    from graft.export.export import export_model
    from graft.prediction.predictor import load

    predictor = load(model, device="cpu")
    images = None if patches is None else Domain.read(patches).images
    largest = export_model(
        out, to.value, predictor.model, predictor.fitted, predictor.sha256, images
    )
    say(f"{out}: the largest difference of a probability from {model} is {largest:.1g}")
