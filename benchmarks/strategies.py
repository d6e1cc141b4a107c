"""Each strategy of transfer against training from scratch, on the phantom.

    python -m benchmarks.strategies
    python -m benchmarks.strategies --recipe
    python -m benchmarks.strategies --only scratch --only l2-sp --seeds 5

Draws 20 labelled patients of the target 10 times, trains on them by each strategy, and predicts
about 1,000 test patients and an external site, which influence nothing. Prints the mean AUROC and
the mean paired gain over scratch, each with its standard error over the draws, and the training
time. With --recipe it varies the head, λ, the recipe and the prediction of l2-sp instead. With
--seeds, each strategy trains several times on a draw, and a second table has the gain of the mean
of these networks, a deep ensemble.

The cohort is made by graft's own stages in a clone of the committed HEAD. The clone and the
finished trainings are kept in --workdir, so that the same command resumes after an interruption.
Takes about 9 minutes on two cores, of which the cohort takes 3.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from ruamel.yaml import YAML

from benchmarks.clone import ROOT, kept_clone, run_dvc
from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.trials import Outcome, Variant, run_trials
from graft.common.files import InputError, whole_file
from graft.console import run, say

SEED = 7  # of the cohort, the draws and the trainings; params.yaml has another one
LAMBDA = 0.01
SOURCE_PATIENTS = 1000
TARGET_PATIENTS = 1700
STRATEGIES = ("source", "frozen", "l2-sp", "lp-ft", "delta", "wise-ft")
DEFAULT = "l2-sp"  # whose time is the unit
UNCHANGED = "source"  # the strategy that only predicts
SCRATCH = Variant("scratch")
COMPARED = [SCRATCH, *(Variant(name, {"strategy": name}, LAMBDA) for name in STRATEGIES)]
RECIPES = [
    SCRATCH,
    Variant("source", {"strategy": "source"}, LAMBDA),
    Variant(DEFAULT, {}, LAMBDA),
    Variant("λ = 0", {}, 0.0),
    Variant("λ = 0.001", {}, 0.001),
    Variant("λ = 0.1", {}, 0.1),
    Variant("new head", {"head": "new"}, LAMBDA),
    Variant("no transforms", {"transforms": 0}, LAMBDA),
    Variant("two transforms", {"transforms": 2}, LAMBDA),
    Variant("penalty l1, λ = 0.001", {"penalty": "l1"}, 0.001),
    Variant("penalty l1, λ = 0.0001", {"penalty": "l1"}, 0.0001),
    Variant("20 epochs", {"epochs": 20}, LAMBDA),
    Variant("80 epochs", {"epochs": 80}, LAMBDA),
    Variant("scratch, 20 epochs", {"epochs": 20}),
    Variant("scratch, 80 epochs", {"epochs": 80}),
    Variant("mirror images", {}, LAMBDA, mirror=True),
    Variant("scratch, mirror images", mirror=True),
]


def main(
    patients: Annotated[int, typer.Option(help="Labelled patients of each draw.")] = 20,
    draws: Annotated[int, typer.Option(help="How often they are drawn.")] = 10,
    source_patients: Annotated[int, typer.Option(help="Patients of the source.")] = SOURCE_PATIENTS,
    target_patients: Annotated[int, typer.Option(help="Patients of the target.")] = TARGET_PATIENTS,
    seeds: Annotated[int, typer.Option(help="Trainings of a strategy on each draw.")] = 1,
    only: Annotated[
        list[str] | None, typer.Option(help="A row of the table; may be given repeatedly.")
    ] = None,
    recipe: Annotated[bool, typer.Option("--recipe", help="Vary the recipe of l2-sp.")] = False,
    workdir: Annotated[
        Path, typer.Option(help="The folder of the clone and of the finished trainings.")
    ] = ROOT / ".graft/benchmarks/strategies",
    clone: Annotated[
        Path | None, typer.Option(help="A clone after `pretrain` to use instead of a new one.")
    ] = None,
) -> None:
    """Compare the strategies of transfer on draws of a few labelled patients."""
    variants = choose(RECIPES if recipe else COMPARED, only)
    if clone is None:
        with kept_clone(workdir) as folder:
            make_cohort(folder, source_patients, target_patients)
            clone = folder
    outcomes = run_trials(
        clone.absolute(), workdir.absolute(), variants, patients, draws, SEED, seeds
    )
    for line in result_table(variants, outcomes):
        say(line)
    if seeds > 1:
        for line in deep_table(variants, outcomes):
            say(line)
    if not recipe and not only:
        report_gains(variants, outcomes, patients)


def make_cohort(
    folder: Path, source_patients: int = SOURCE_PATIENTS, target_patients: int = TARGET_PATIENTS
) -> None:
    """Run the stages up to `pretrain` in a clone, with a cohort of its own."""
    yaml = YAML()
    path = folder / "params.yaml"
    content = yaml.load(path)
    source, target = content["source"], content["target"]
    content["seed"] = SEED
    content["phantom"][source]["patients"] = source_patients
    content["phantom"][target]["patients"] = target_patients
    split = content["domains"][target]["split"]
    split["test"] = 0.84  # of those outside the external site, which has three of ten
    split["validation"] = 0
    split["labelled"] = 1.0
    with whole_file(path) as partial:
        yaml.dump(content, partial)
    run_dvc(folder, "repro", "pretrain", f"split@{target}")


def choose(variants: Sequence[Variant], only: Sequence[str] | None) -> list[Variant]:
    """Return the variants with some titles; all of them without a title."""
    titles = [variant.title for variant in variants]
    for title in only or []:
        if title not in titles:
            raise InputError(f"--only: got {title!r}, expected one of {', '.join(titles)}")
    return [variant for variant in variants if variant.title in (only or titles)]


def result_table(variants: Sequence[Variant], outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the table: a row for each variant, with its differences from the first and DEFAULT.

    The time is the median, without that of predicting, which is all that `source` does.
    """
    of = {variant.title: outcome for variant, outcome in zip(variants, outcomes, strict=True)}
    first = next(iter(of))
    references = dict.fromkeys([first, DEFAULT] if DEFAULT in of else [first])
    predicting = float(np.median(of[UNCHANGED].seconds)) if UNCHANGED in of else 0.0
    head = []
    for part in of[first].aurocs:
        head += [f"AUROC, {part}", *(f"over {reference}" for reference in references)]
    seconds = {title: np.median(each.seconds) - predicting for title, each in of.items()}
    unit = seconds.get(DEFAULT, np.nan)
    yield from markdown_head("", *head, "CPU s", f"of {DEFAULT}")
    for title, outcome in of.items():
        cells = []
        for part, aurocs in outcome.aurocs.items():
            cells.append(format_mean(aurocs))
            for reference in references:
                difference = format_mean(aurocs - of[reference].aurocs[part], "+")
                cells.append("" if title == reference else difference)
        took = seconds[title]
        yield markdown_row(title, *cells, f"{took:.1f}", f"{took / unit:.2f}")


def deep_table(variants: Sequence[Variant], outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield what the mean of the networks of a draw gained over these networks, on average."""
    parts = list(outcomes[0].aurocs)
    yield ""
    head = [cell for part in parts for cell in (f"AUROC, {part}", "over its members")]
    yield from markdown_head("deep ensemble", *head)
    for variant, outcome in zip(variants, outcomes, strict=True):
        cells = []
        for part in parts:
            gained = outcome.together[part] - outcome.aurocs[part]
            cells += [format_mean(outcome.together[part]), format_mean(gained, "+")]
        yield markdown_row(variant.title, *cells)


def format_mean(values: np.ndarray, sign: str = "") -> str:
    """Return the mean with its standard error, such as "+0.054 ± 0.012"."""
    error = f" ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{values.mean():{sign}z.3f}{error}"  # z: no −0


def report_gains(variants: Sequence[Variant], outcomes: Sequence[Outcome], patients: int) -> None:
    """Report the mean AUROC of each strategy beside that of training from scratch."""
    scratch = outcomes[0].aurocs["test"]
    for variant, outcome in zip(variants[1:], outcomes[1:], strict=True):
        gain = format_mean(outcome.aurocs["test"] - scratch, "+")
        report(
            Comparison(
                what=f"AUROC with {patients} labelled patients of the phantom: {variant.title}",
                unit="",
                graft=float(outcome.aurocs["test"].mean()),
                peer="from scratch",
                of_peer=float(scratch.mean()),
                more_is_better=True,
                note=f"gain {gain} (standard error over {len(scratch)} draws)",
            )
        )


if __name__ == "__main__":
    run(main)
