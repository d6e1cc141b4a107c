"""`graft adapt`: a model adapted to the scans of a site, if that is shown to help."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Device = Literal["auto", "cpu", "cuda"]


def main(
    model: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the model.")],
    data: Annotated[
        Path,
        typer.Option(
            metavar="MANIFEST",
            help="The site's lesions as for `graft predict`, or the folder of the manifest. The "
            "column label may be empty in some or all rows; labelled ones need a patient.",
        ),
    ],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder of the new model.")],
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write adapt.json and adaptation.md here, in any case."
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Write the new model without a measured gain too.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the folds and the resamples.")] = 0,
    device: Annotated[Device, typer.Option(help="Where the networks run.")] = "auto",
) -> None:
    """Adapt a model to a site. The new model is written only if it is shown to help.

    Exit codes: 0, whether or not a model was written; 2 if folders overlap; 1 if an input cannot be
    used, which one line explains. If that is one of several scans, the others are used.
    """
    import sys
    from contextlib import redirect_stdout
    from itertools import permutations

    from graft.adaptation.adapt import adapt
    from graft.adaptation.page import report_lines
    from graft.adaptation.site import read_site
    from graft.adaptation.write import OF_A_MODEL, OF_A_REPORT, check_new, write_model, write_report
    from graft.console import say
    from graft.prediction.identity import model_digest
    from graft.prediction.predictor import load

    folders = [path.resolve() for path in (model, to, report) if path is not None]
    for one, other in permutations(folders, 2):
        if one.is_relative_to(other):
            raise typer.BadParameter("FOLDER, --to and --report overlap, expected separate folders")
    check_new(to, OF_A_MODEL)
    if report is not None:
        check_new(report, OF_A_REPORT)
    with redirect_stdout(sys.stderr):  # standard output is for the results
        predictor = load(model, device)
        site = read_site(data, predictor)
        result = adapt(predictor, site, seed, anyway)
    for line in report_lines(result.document):
        say(line)
    new = None
    if result.document["recommended"] or anyway:
        write_model(to, predictor, site, result)
        new = model_digest(to)
        say(f"wrote {to}")
    else:
        before = f"; {to} is that of an earlier run" if to.exists() else ""
        say(f"no model was written, --anyway writes it{before}")
    if report is not None:
        write_report(report, result, new)
    if site.failures:
        raise typer.Exit(1)
