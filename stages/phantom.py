"""Write the synthetic cohort of one organ."""

import time
from typing import Annotated

import typer
from pydantic import Field

from graft.common.parameters import Section, read_parameters
from graft.common.shown import counted
from graft.console import run, say
from graft.phantom.cohort import size_auroc, write_cohort
from graft.phantom.settings import SyntheticCohort
from stages import paths


class Parameters(Section):
    """What this stage reads of params.yaml."""

    cohort: SyntheticCohort = Field(alias="phantom.${key}")
    seed: int


def main(organ: Annotated[paths.Organ, typer.Argument(help="the organ")]) -> None:
    """Write data/phantom/<organ>, and print how well size alone separates its classes."""
    parameters = read_parameters(Parameters, paths.PARAMETERS, organ)
    patients = parameters.cohort.patients
    began = time.perf_counter()
    manifest = write_cohort(paths.PHANTOM / organ, organ, patients, parameters.seed)
    seconds = time.perf_counter() - began
    made = f"{counted(patients, 'synthetic patient')}, {counted(len(manifest), 'lesion')}"
    say(f"{organ}: {made}, {seconds:.0f} s")
    for (site, label), lesions in manifest.groupby(["site", "label"]):
        of = counted(lesions.patient.nunique(), "patient")
        say(f"  {site} {label}: {counted(len(lesions), 'lesion')} of {of}")
    say(f"  size alone has AUROC {size_auroc(manifest):.3f}")


if __name__ == "__main__":
    run(main)
