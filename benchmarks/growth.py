"""Time and memory of each stage by the number of lesions, with the fitted exponent.

    python -m benchmarks.growth [--workdir FOLDER]

Runs each stage as its real command, with one thread, on the phantom cohort in clones of the
committed HEAD: on a small cohort, and on 4 and 16 times as many patients. Trainings have few
epochs, the learning curve has two draws, the cross-validation two folds, and the parts are large
enough for the small cohort; everything else is as in params.yaml. Fits the curve cost = c + a·n^b
to the processor time and the peak memory of each stage over the number n of lesions. Prints a table
and draws docs/growth.png. Takes about 6 minutes on two cores. With --workdir the clones and the
measurements are kept, and the same command resumes after an interruption.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.growth_fit import Growth, fit_growth
from benchmarks.growth_plot import Points, draw_growth
from benchmarks.machine import describe_machine
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.stage_costs import EPOCHS, PATIENTS, SIZES, STAGES, StageCost, measure_all
from graft.console import run, say

PICTURE = ROOT / "docs/growth.png"
NOISE = {"processor": 0.5, "peak": 20e6}  # differences in s and bytes that may be chance
ROUGHLY_LINEAR = 1.2  # the largest exponent that is aimed at


Fits = dict[str, Growth | None]  # by stage


def main(
    workdir: Annotated[
        Path | None,
        typer.Option(help="The folder to keep the clones in, to resume after an interruption."),
    ] = None,
) -> None:
    """Measure how time and memory of each stage grow with the number of lesions."""
    with kept_folder(workdir) as folder:
        costs = measure_all(folder)
    fits = {quantity: fit_stages(costs, quantity) for quantity in NOISE}
    for line in cost_table(costs, fits):
        say(line)
    for quantity, name in (("processor", "processor time"), ("peak", "peak memory")):
        report_steepest(name, fits[quantity])
    draw_growth(PICTURE, panels(costs, fits), picture_title())


@contextmanager
def kept_folder(workdir: Path | None) -> Iterator[Path]:
    """Yield a folder that is kept, or a temporary one without `workdir`."""
    if workdir is None:
        with tempfile.TemporaryDirectory(prefix="graft-") as folder:
            yield Path(folder)
        return
    workdir.mkdir(parents=True, exist_ok=True)
    yield workdir.absolute()


def fit_stages(costs: Sequence[StageCost], quantity: str) -> Fits:
    """Fit the growth of a quantity of each stage."""
    fits = {}
    for stage in STAGES:
        rows = [cost for cost in costs if cost.stage == stage]
        lesions = [row.lesions for row in rows]
        fits[stage] = fit_growth(lesions, [getattr(row, quantity) for row in rows], NOISE[quantity])
    return fits


def cost_table(costs: Sequence[StageCost], fits: dict[str, Fits]) -> Iterator[str]:
    """Yield a row per stage: elapsed and processor time and memory of each cohort, exponents."""
    lesions = [cost.lesions for cost in costs if cost.stage == "report"]
    columns = [f"{number:,} lesions" for number in lesions]
    yield "elapsed s / processor s / peak MB"
    yield from markdown_head("stage", *columns, "exponent of time", "exponent of memory")
    for stage in STAGES:
        cells = []
        for cost in costs:
            if cost.stage == stage:
                memory = cost.peak / 1e6
                cells.append(f"{cost.seconds:.1f} / {cost.processor:.1f} / {memory:.0f}")
        exponents = [format_exponent(fits[quantity][stage]) for quantity in NOISE]
        yield markdown_row(stage, *cells, *exponents)


def panels(costs: Sequence[StageCost], fits: dict[str, Fits]) -> dict[str, tuple[Points, Fits]]:
    """Return what the two panels of the picture show."""
    seconds: dict[str, list[tuple[float, float]]] = {stage: [] for stage in STAGES}
    megabytes: dict[str, list[tuple[float, float]]] = {stage: [] for stage in STAGES}
    for cost in costs:
        seconds[cost.stage].append((cost.lesions, cost.processor))
        megabytes[cost.stage].append((cost.lesions, cost.peak / 1e6))
    in_megabytes = {}
    for stage, growth in fits["peak"].items():
        in_megabytes[stage] = growth and growth.scaled(1e-6)
    return {
        "processor time, s": (seconds, fits["processor"]),
        "peak memory of all processes, MB": (megabytes, in_megabytes),
    }


def picture_title() -> str:
    """Return what was measured and where."""
    patients = [round(size * sum(PATIENTS.values())) for size in SIZES]
    scans = ", ".join(str(number) for number in patients)
    where = f"{describe_machine()}; {date.today().isoformat()}"
    return (
        f"Each stage on {scans} scans, with {EPOCHS} epochs per training and one thread; {where}\n"
        "Points: measured. Lines: start-up + a·n^b, with b beside the name of the stage if the "
        "growth is clear."
    )


def report_steepest(name: str, fits: Fits) -> None:
    """Report the largest exponent of all stages beside that of linear growth."""
    exponents = {stage: growth.exponent for stage, growth in fits.items() if growth}
    if not exponents:
        return
    stage = max(exponents, key=lambda name: exponents[name])
    what = f"growth of {name} with lesions, the steepest stage: {stage}"
    peer = "exponent of linear growth"
    report(Comparison(what, "", exponents[stage], peer, 1.0, bound=ROUGHLY_LINEAR))


def format_exponent(growth: Growth | None) -> str:
    """Return the exponent of a curve, or a dash for a cost that does not grow noticeably."""
    return f"{growth.exponent:.2f}" if growth else "–"


if __name__ == "__main__":
    run(main)
