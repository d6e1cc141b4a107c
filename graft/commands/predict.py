"""`graft predict`: the answers of a trained model for new scans, as a table, JSON and a page."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from graft.prediction.batch import Further
    from graft.prediction.inputs import Listed

Frame = Literal["ras", "lps", "voxel"]
Point = Literal["sensitivity", "specificity"]
Method = Literal["occlusion", "grad_cam"]
Device = Literal["auto", "cpu", "cuda"]


def main(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            help="A scan with --at or --mask; or pictures, arrays, manifests, folders of these.",
        ),
    ],
    model: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of the model.")] = Path(
        "models/best"
    ),
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write predictions.csv and predictions.json here."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Where the lesion is in the scan.")
    ] = None,
    frame: Annotated[
        Frame, typer.Option(help="The axes of --at, in mm, or a voxel index from 0.")
    ] = "ras",
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A mask of the lesion, on the scan's grid.")
    ] = None,
    segment: Annotated[
        str, typer.Option(metavar="NAME", help="The structure of a mask that has several.")
    ] = "",
    series: Annotated[
        str, typer.Option(metavar="UID", help="The number or the UID of a DICOM series.")
    ] = "",
    diameter: Annotated[
        float | None, typer.Option(metavar="MM", help="Of the lesion, if the model reads it.")
    ] = None,
    covariate: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A covariate of the patient; can be repeated."),
    ] = None,
    known: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS@X,Y,Z",
            help="Another lesion of the scan whose class is known; can be repeated. "
            "A manifest has the columns patient and known instead.",
        ),
    ] = None,
    point: Annotated[Point, typer.Option(help="The operating point.")] = "sensitivity",
    explain: Annotated[
        bool, typer.Option("--explain", help="Write where the model looked, as NIfTI.")
    ] = False,
    method: Annotated[Method, typer.Option(help="How --explain and --report look.")] = "occlusion",
    report: Annotated[bool, typer.Option("--report", help="Write report.html.")] = False,
    sr: Annotated[
        bool, typer.Option("--sr", help="Write a DICOM Structured Report for each DICOM series.")
    ] = False,
    device: Annotated[Device, typer.Option(help="Where the networks run.")] = "auto",
) -> None:
    """Predict the classes of the lesions of new scans. For research only."""
    is_one = at is not None or mask is not None
    if is_one and len(inputs) > 1:
        raise typer.BadParameter("--at and --mask are of one scan, expected one INPUT")
    if not is_one and (segment or series or diameter is not None or known):
        raise typer.BadParameter("--segment, --series, --diameter and --known need --at or --mask")
    if out is None and (explain or report or sr):
        raise typer.BadParameter("--explain, --report and --sr write files, expected --out FOLDER")
    position = None if at is None else _read_position(at)
    given = dict(_read_covariate(text) for text in covariate or ())
    others = [_read_known(text) for text in known or ()]

    import sys
    from contextlib import redirect_stdout

    from graft.commands.known import add_known, check_known, keep_first, use_known
    from graft.prediction.batch import list_inputs, predict_listed, print_batch, write_batch
    from graft.prediction.inputs import check_name
    from graft.prediction.lesions import Lesion
    from graft.prediction.predictor import load
    from graft.prediction.results import check_output

    if out is not None:
        check_output(out)
    one = Lesion(inputs[0], position, frame, mask, series, segment, diameter) if is_one else None
    with redirect_stdout(sys.stderr):  # standard output is for the results
        predictor = load(model, device)
        listed = (
            [*map(check_name, add_known(one, others))] if one else list_inputs(predictor, inputs)
        )
        listed = check_known(predictor, listed)
        further = _structured_reports(listed) if sr else None
        batch = use_known(predictor, predict_listed(predictor, listed, given, point))
        if one:
            batch = keep_first(batch)
        if out is not None:
            write_batch(out, predictor, batch, explain, report, method, further)
    print_batch(predictor, batch)
    if batch.failures:
        raise typer.Exit(1)


def _structured_reports(listed: "Sequence[Listed]") -> "Further":
    """What writes the Structured Reports; raises InputError if no lesion is of a DICOM series."""
    from graft.prediction.lesions import Lesion
    from graft.structured_report.write import check_dicom, write_structured_reports

    check_dicom([lesion.image for lesion in listed if isinstance(lesion, Lesion)])
    return write_structured_reports


def _read_known(text: str) -> tuple[str, tuple[float, ...]]:
    name, sign, place = text.rpartition("@")
    if not name or not sign:
        raise typer.BadParameter(
            f"--known is {text!r}, expected CLASS@X,Y,Z, such as malignant@10,-20,35"
        )
    return name, _read_position(place, "--known")


def _read_position(text: str, option: str = "--at") -> tuple[float, ...]:
    try:
        position = tuple(float(number) for number in text.split(","))
    except ValueError:
        position = ()
    if len(position) != 3 or not all(map(isfinite, position)):
        raise typer.BadParameter(
            f"{option} is {text!r}, expected three numbers with commas between them, "
            "such as 10,-20,35"
        )
    return position


def _read_covariate(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise typer.BadParameter(f"--covariate is {text!r}, expected NAME=VALUE, such as age=63")
    return name.strip(), value.strip()
