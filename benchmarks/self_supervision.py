"""Learning from images without labels before pretraining, and instead of it, on the phantom.

    python -m benchmarks.self_supervision

Makes the cohort of benchmarks.strategies once and the source network three times: with labels, with
labels after learning without them, and without labels alone. Each is fine-tuned and probed on the
same draws of 20 labelled patients of the target, and compared with training from scratch on about
1,000 test patients and an external site. Finished trainings are kept in --workdir. Takes about 15
minutes on two cores.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.campaign.project import change_parameters
from benchmarks.clone import ROOT, kept_clone, run_dvc
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.strategies import LAMBDA, SCRATCH, SEED, format_mean, make_cohort
from benchmarks.trials import Outcome, Variant, run_trials
from graft.console import run, say

LABELS = "labels"
PRETRAINED_WITH: Mapping[str, Mapping[str, object]] = {
    LABELS: {"self_supervise.epochs": 0},
    "images, then labels": {},
    "images alone": {"pretrain.source": "self-supervised"},
}
VARIANTS = [Variant(name, {"strategy": name}, LAMBDA) for name in ("l2-sp", "frozen")]


def main(
    epochs: Annotated[int, typer.Option(help="Epochs of learning without labels.")] = 30,
    patients: Annotated[int, typer.Option(help="Labelled patients of each draw.")] = 20,
    draws: Annotated[int, typer.Option(help="How often they are drawn.")] = 10,
    source_patients: Annotated[int, typer.Option(help="Patients of the source.")] = 1000,
    target_patients: Annotated[int, typer.Option(help="Patients of the target.")] = 1700,
    workdir: Annotated[
        Path, typer.Option(help="The folder of the clone and of the finished trainings.")
    ] = ROOT / ".graft/benchmarks/self_supervision",
) -> None:
    """Compare networks that were pretrained with labels, without them, and with both."""
    outcomes = {}
    with kept_clone(workdir) as clone:
        make_cohort(clone, source_patients, target_patients)
        for title, changes in PRETRAINED_WITH.items():
            parameters: dict[str, object] = {"self_supervise.epochs": epochs, **changes}
            change_parameters(clone / "params.yaml", parameters)
            run_dvc(clone, "repro", "pretrain")
            variants = [SCRATCH, *VARIANTS] if title == LABELS else VARIANTS
            folder = workdir.absolute() / title.replace(" ", "-").replace(",", "")
            found = run_trials(clone, folder, variants, patients, draws, SEED)
            for variant, outcome in zip(variants, found, strict=True):
                name = variant.title if variant is SCRATCH else f"{title}: {variant.title}"
                outcomes[name] = outcome
    for line in result_table(outcomes):
        say(line)


def result_table(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """Yield the table: a row for each network and strategy, and its gain over each reference."""
    parts = list(outcomes[SCRATCH.title].aurocs)
    head = [cell for part in parts for cell in (f"AUROC, {part}", "over scratch", "over labels")]
    yield from markdown_head("pretrained with: strategy", *head)
    for name, outcome in outcomes.items():
        _, _, strategy = name.partition(": ")
        cells = []
        for part in parts:
            found = outcome.aurocs[part]
            cells.append(format_mean(found))
            for reference in (SCRATCH.title, f"{LABELS}: {strategy}"):
                differs = reference in outcomes and reference != name and strategy
                gain = found - outcomes[reference].aurocs[part] if differs else None
                cells.append("" if gain is None else format_mean(gain, "+"))
        yield markdown_row(name, *cells)


if __name__ == "__main__":
    run(main)
