"""Which rating of a lung nodule does its size not predict, and a network can learn?

    python -m benchmarks.lidc_ratings --data <folder> --workdir ratings

For each rating, divides the patients into two halves, trains a network from scratch on all labels
of one half and predicts the other, and back. Prints how many nodules are of the second class, and
the AUROC of the network, of size alone and of the brightest voxel. AUROC at equal size counts only
pairs of nodules of the same size quarter. The target of `benchmarks.lidc_to_lidc` was chosen by
this table, and no training there had a part in it. Resumes in --workdir. Takes about 3 minutes on
one core.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.clone import ROOT
from benchmarks.lidc import SIDE, TASKS, Nodules, nodule_domain, read_nodules
from benchmarks.lung_to_adrenal import VARIABLE
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.real_trials import SCRATCH, Arm, Bench, Trial, halve, predict_by_size
from benchmarks.trial_scores import auroc, size_quarters
from benchmarks.trial_tables import Scores, score_trials
from graft.config.parameters import load_parameters
from graft.console import run, say

NAME = "lidc_ratings"
EPOCHS = 16  # about as many steps as 40 epochs with a share of the labels


def main(
    data: Annotated[Path, typer.Option(envvar=VARIABLE, help="The folder of the real data.")],
    workdir: Annotated[Path, typer.Option(help="The folder of finished trainings.")] = ROOT
    / ".graft/benchmarks"
    / NAME,
) -> None:
    """Compare the ratings of nodules as targets of transfer."""
    nodules = read_nodules(data)
    bench = Bench(NAME, workdir.absolute(), load_parameters(ROOT / "params.yaml"))
    for line in rating_table(bench, nodules):
        say(line)


def rating_table(bench: Bench, nodules: Nodules) -> Iterator[str]:
    """Train on each rating, and yield the table: a row per rating."""
    yield from markdown_head(
        "rating",
        "nodules",
        "share",
        "from scratch",
        "at equal size",
        "size alone",
        "at equal size",
        "brightest voxel",
    )
    brightest = nodules.volumes.max((1, 2, 3)).astype(float)
    quarters = size_quarters(nodules.sizes())
    for task, rating in TASKS.items():
        domain = nodule_domain(nodules, "nodules", task, SIDE)
        half_of = halve(domain, bench.name, bench.parameters.seed)
        trials = []
        for half in (0, 1):
            train, test = np.flatnonzero(half_of != half), np.flatnonzero(half_of == half)
            trials.append(Trial(half, 1.0, train, test, epochs=EPOCHS))
        predicted = bench.run({"image": bench.keep(domain, task)}, trials, [Arm(SCRATCH)])
        network = score_trials(domain, trials, predicted, quarters)[0]
        size = score_trials(domain, trials, predict_by_size(domain, trials), quarters)[0]
        has = nodules.has(task)
        of_voxel = auroc(has, brightest)
        yield markdown_row(
            f"{task}: {rating.classes[1]}",
            str(has.sum()),
            f"{has.mean():.2f}",
            *_two_means(network),
            *_two_means(size),
            f"{max(of_voxel, 1 - of_voxel):.3f}",
        )


def _two_means(scores: Scores) -> tuple[str, str]:
    """Format the means of the only arm: over all pairs and at equal size."""
    (overall,) = scores.overall.values()
    (within,) = scores.within.values()
    return f"{np.mean(list(overall.values())):.3f}", f"{np.mean(list(within.values())):.3f}"


if __name__ == "__main__":
    run(main)
