"""From the ratings of lung nodules to masses of adrenal glands, in the official split.

    python -m benchmarks.lidc_to_adrenal --data <folder> --workdir adrenal

A source network trains on all lung nodules: on malignancy and all ratings. A second one sees the
nodules as the glands are, as shapes without grey values. Networks for the adrenal glands of
AdrenalMNIST3D train on a tenth of the labels of the official training and validation parts and on
all of them, five times each, with other draws of the labels and other seeds, from scratch and from
a source, with and without the gland's size as an input. They predict the official test part. Both
resolutions of the data set become patches of 24³ voxels: the middle of 28³, and means of 2³ voxels
of 64³. λ is that of params.yaml, and the number of epochs was fixed in advance. Prints AUROC, gain
over scratch and the AUROC of the mean of the five networks, with 95 % intervals over glands and
trainings.
Resumes in --workdir. Takes about 30 minutes on one core.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.adrenal import RESOLUTIONS, SIDE, Glands, read_glands
from benchmarks.clone import ROOT
from benchmarks.lidc import TASKS, as_shapes, nodule_domain, read_nodules
from benchmarks.lung_to_adrenal import VARIABLE
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.real_sources import SourcePlan, read_parameters, source_parts, train_sources
from benchmarks.real_trials import SCRATCH, Arm, Bench, Trial, predict_by_size, with_size
from benchmarks.trial_scores import auroc_within, size_quarters
from graft.common.files import InputError
from graft.common.seeds import derive, generator
from graft.console import run, say
from graft.data.folds import deal_patients, random_orders
from graft.networks.reference import ModelReference
from graft.repeated.divide import nested_shares
from graft.repeated_evaluation.learning_curve import repeated_areas
from graft.statistics.cases import Cases
from graft.statistics.formatting import format_estimate
from graft.statistics.repeated_auroc import draw_repetitions

NAME = "lidc_to_adrenal"
TRAININGS = 5
EPOCHS = {0.1: 40, 1.0: 10}  # by share of the labels; fixed in advance
RATINGS = "ratings"  # the source that trains on malignancy and all ratings
SHAPES = "ratings of shapes"  # the same, on nodules without grey values
RESAMPLES = 2000
CONFIDENCE = 0.95
DEFAULT = Arm("l2-sp", RATINGS)
ARMS = (
    Arm(SCRATCH),
    DEFAULT,
    Arm("l2-sp, shapes", SHAPES),
    Arm("frozen", RATINGS, finetune={"strategy": "frozen"}),
    Arm("l2-sp with size", RATINGS, target="size"),
)
FEW_LABELS = (Arm("scratch with size", target="size"),)
PUBLISHED = {"ResNet-50 from scratch": 0.869, "SuPreM": 0.906, "Raptor-B": 0.930}  # AUROC


def main(
    data: Annotated[Path, typer.Option(envvar=VARIABLE, help="The folder of the real data.")],
    workdir: Annotated[
        Path, typer.Option(help="The folder of the source and of finished trainings.")
    ] = ROOT / ".graft/benchmarks" / NAME,
    resolution: Annotated[
        list[int] | None, typer.Option(help="28 or 64; may be given repeatedly (default: both).")
    ] = None,
) -> None:
    """Transfer from the ratings of lung nodules to adrenal glands."""
    sides = resolution or list(RESOLUTIONS)
    check_resolutions(sides)
    bench = Bench(NAME, workdir.absolute(), read_parameters())
    sources = train_both_sources(bench, data)
    for side in sides:
        glands = read_glands(data, side)
        for line in transfer_to(bench, glands, side, sources):
            say(line)


def check_resolutions(sides: Sequence[int]) -> None:
    """Raise InputError for a resolution that the data set does not have."""
    for side in sides:
        if side not in RESOLUTIONS:
            raise InputError(f"--resolution: got {side}, expected 28 or 64")


def train_both_sources(bench: Bench, data: Path) -> dict[str, ModelReference]:
    """Train both sources on malignancy and all ratings of nine tenths of the patients."""
    ratings = [name for name in TASKS if name != "malignancy"]
    nodules = read_nodules(data)
    plans = []
    for name, seen in ((RATINGS, nodules), (SHAPES, as_shapes(nodules))):
        domain = nodule_domain(seen, "nodules", "malignancy", SIDE, ratings)
        orders = random_orders(domain.index, domain.classes, generator(0, NAME, "source"))
        tenth = domain.index["patient"].map(deal_patients(orders, 10)).to_numpy()
        parts = source_parts(domain, tenth > 0, generator(0, NAME, "validation"))
        seed = derive(bench.parameters.seed, NAME)
        plans.append(SourcePlan(bench.keep(domain, name), parts, seed))
    models = train_sources(plans, bench.parameters, bench.folder / "sources")
    return dict(zip((RATINGS, SHAPES), models, strict=True))


def transfer_to(
    bench: Bench, glands: Glands, side: int, sources: Mapping[str, ModelReference]
) -> Iterator[str]:
    """Train on the glands of one resolution, and yield a table for each share of the labels."""
    domain = glands.domain
    targets = {
        "image": bench.keep(domain, f"glands-{side}"),
        "size": bench.keep(with_size(domain), f"glands-{side}-size"),
    }
    for share, epochs in EPOCHS.items():
        trials = make_trials(glands, share, epochs, sources, bench.parameters.seed)
        predicted = bench.run(targets, trials, [*ARMS, *(FEW_LABELS if share < 1 else ())])
        predicted = pd.concat([predicted, predict_by_size(domain, trials)], ignore_index=True)
        lesions = len(trials[0].train)
        yield (
            f"\nGlands of {side}³ voxels, {share * 100:g} % of the labels: {lesions} glands, "
            f"{TRAININGS} trainings of {epochs} epochs, tested on {len(glands.test)}.\n"
        )
        yield from result_table(glands, predicted, bench.parameters.seed)
        if share == 1:
            for name, value in PUBLISHED.items():
                yield markdown_row(f"published: {name}", f"{value:.3f}", "", "", "", "")


def make_trials(
    glands: Glands,
    share: float,
    epochs: int,
    sources: Mapping[str, ModelReference],
    seed: int,
) -> list[Trial]:
    """Draw a share of the official labels for each training."""
    index = glands.domain.index.iloc[glands.labelled]
    trials = []
    for number in range(TRAININGS):
        random = generator(seed, NAME, "labels", number)
        (kept,) = nested_shares(index, glands.domain.classes, [share], random)
        trials.append(Trial(number, share, glands.labelled[kept], glands.test, sources, epochs))
    return trials


def result_table(glands: Glands, predicted: pd.DataFrame, seed: int) -> Iterator[str]:
    """Yield the table of one share: a row per arm."""
    rows = glands.domain.index.iloc[glands.test]
    random = generator(seed, NAME, "bootstrap")
    cases = Cases.of(rows, glands.domain.classes, RESAMPLES, random)
    picks = draw_repetitions(TRAININGS, RESAMPLES, random)
    once = np.ones((RESAMPLES, 1))
    quarters = size_quarters(rows["size"].to_numpy())
    yield from markdown_head(
        "",
        "AUROC (95 % interval)",
        "over the trainings, sd",
        "gain over scratch",
        "mean of the networks",
        "at equal size",
    )
    reference = None
    for arm, table in predicted.groupby("arm", sort=False):
        probability = np.stack([one["probability"] for _, one in table.groupby("trial")])
        both = np.stack([1 - probability, probability], axis=2)  # (T, N, 2)
        areas = repeated_areas(cases, list(both), picks)
        ensemble = repeated_areas(cases, [both.mean(0)], once)
        reference = reference or areas
        gained = format_estimate((areas - reference).gain(CONFIDENCE), "+")
        within = [auroc_within(cases.labels == 1, each, quarters) for each in probability]
        yield markdown_row(
            arm,
            format_estimate(areas.estimate(CONFIDENCE)),
            f"{areas.spread:.3f}",
            gained if arm != SCRATCH else "",
            format_estimate(ensemble.estimate(CONFIDENCE)),
            f"{np.mean(within):.3f}",
        )


if __name__ == "__main__":
    run(main)
