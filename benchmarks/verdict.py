"""Does the verdict of a run on the phantom agree with the truth, whatever the training seed is?

    python -m benchmarks.verdict
    python -m benchmarks.verdict --run .graft/examples/no-help --seeds 20

For each seed it pretrains on the source, trains on the labelled patients of a finished run as the
stage `learning_curve` does, and decides the verdict on the test part of the run. The cohort and
its parts stay the same. The same networks predict patients whom the run has not seen: the mean of
their gains is the true gain. A verdict agrees if it is "helps" where the true gain is above 0, not
"helps" where it is below, and neither "helps" nor "harms" where it cannot be told from 0.

It took less than two minutes per seed on two cores that did other work too. --workdir
keeps every training, so a second call is fast.
"""

import math
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.clone import ROOT
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.unseen import Curves, only_cases, read_run, unseen_folder, write_parameters
from graft.common.code import running_code
from graft.common.files import sha256
from graft.common.parallel import run_parallel
from graft.common.seeds import derive, generator
from graft.common.unchanged import unchanged_parameters
from graft.common.vocabulary import REFERENCE
from graft.config.parameters import Parameters
from graft.console import run, say
from graft.data.domain import DOCUMENT, Domain
from graft.networks.card import CARD, NO_MODEL, has_model
from graft.repeated_evaluation.learning_curve import judge_points, repeated_areas
from graft.statistics.formatting import format_estimate
from graft.statistics.repeated_auroc import RepeatedAuroc
from graft.statistics.verdict import decide
from stages import paths, pretrain

PATIENTS = 1300  # unseen: 300 spare ones, and about 600 of the sites of the test part
RESAMPLES = 500  # of the unseen patients
CERTAIN = 2.0  # standard errors between a gain and 0


@dataclass(frozen=True)
class Judged:
    """The verdict of one seed, the gain that it follows from, and the true gain."""

    verdict: str
    gain: Mapping[str, float]
    truth: RepeatedAuroc  # only patients are resampled


def main(
    of: Annotated[
        Path, typer.Option("--run", help="The folder of a finished run on the phantom.")
    ] = ROOT,
    seeds: Annotated[int, typer.Option(min=2, help="How many.")] = 10,
    workdir: Annotated[Path, typer.Option(help="The folder that keeps the trainings.")] = ROOT
    / ".graft/verdict",
) -> None:
    """Compare the verdicts of a run for several training seeds with the true gain."""
    of, workdir = of.absolute(), workdir.absolute()
    parameters = read_run(of)
    unseen = Domain.read(unseen_folder(parameters, PATIENTS, workdir))
    numbers = [derive(parameters.seed, "verdict", number) for number in range(seeds)]
    pretrain_one = partial(train_source, of, parameters, workdir / "sources")
    sources = run_parallel(pretrain_one, numbers)
    curves = Curves.prepare(of, parameters, unseen, workdir / parameters.target)
    judged = []
    for number, source in zip(numbers, sources, strict=True):
        shutil.copytree(source, curves.folder / paths.PRETRAINED, dirs_exist_ok=True)
        judged.append(judge_seed(curves, parameters, number))
    for line in lines(judged):
        say(line)


def train_source(of: Path, parameters: Parameters, sources: Path, seed: int) -> Path:
    """Run the stage `pretrain` of a run with another seed, unless its model is there already.

    A network that the run trained without labels stays the same.

    Returns:
        The folder of the model.
    """
    name = parameters.source
    inputs = [paths.processed(name), paths.split(name), paths.SELF_SUPERVISED]
    body = CARD if has_model(of / paths.SELF_SUPERVISED) else NO_MODEL
    read = [paths.processed(name) / DOCUMENT, paths.split(name), paths.SELF_SUPERVISED / body]
    data = [sha256(of / path) for path in read]
    recipe = [parameters.network, parameters.training, parameters.augment, parameters.pretrain]
    folder = sources / f"{derive(seed, repr((data, recipe, running_code()))):x}"
    if not (folder / paths.PRETRAINED / CARD).exists():
        for path in inputs:
            link = folder / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(of / path)
        write_parameters(folder / paths.PARAMETERS, of / paths.PARAMETERS, {"seed": seed})
        with chdir(folder), unchanged_parameters():
            pretrain.main(None)
    return folder / paths.PRETRAINED


def judge_seed(curves: Curves, parameters: Parameters, seed: int) -> Judged:
    """Train with all labels from a seed, and decide the verdict as the stage `evaluate` does."""
    settings = parameters.evaluate
    strategy = parameters.finetune.strategy
    needed = {"learning_curve.shares": [], "learning_curve.arms": [], "seed": seed}
    points = curves.train(curves.split, needed)
    tested, places = curves.cases(are_unseen=False, resamples=settings.resamples)
    random = generator(seed, "bootstrap", parameters.target, "draws")
    block = judge_points(only_cases(points, places), tested, settings.confidence, random, strategy)
    decided = decide({}, block["learning_curve"], settings.margin, settings.confidence)
    unseen, places = curves.cases(are_unseen=True, resamples=RESAMPLES)
    [point] = only_cases(points, places)
    arms = point.probabilities
    all_trainings = np.full((RESAMPLES, len(point.patients)), 1 / len(point.patients))
    transfer = repeated_areas(unseen, arms[strategy], all_trainings)
    truth = transfer - repeated_areas(unseen, arms[REFERENCE], all_trainings)
    return Judged(decided["verdict"], decided["verdict_from"], truth)


def true_gain(judged: Sequence[Judged]) -> tuple[float, float]:
    """Return the mean gain of all trainings and its standard error.

    The error includes the chance in training, by seed, and the chance in the unseen patients.
    """
    by_seed = [one.truth.value for one in judged]
    of_training = np.std(by_seed, ddof=1) / math.sqrt(len(judged))
    of_patients = np.mean([one.truth.resampled for one in judged], axis=0).std()
    return float(np.mean(by_seed)), math.hypot(of_training, of_patients)


def agrees(verdict: str, gain: float, error: float) -> bool:
    """Whether a verdict agrees with a true gain, which has a standard error.

    A gain has to be shown. A loss need not be, because it may be small, but is no help.
    """
    if gain > CERTAIN * error:
        return verdict == "helps"
    if gain < -CERTAIN * error:
        return verdict in ("harms", "no difference shown")
    return verdict == "no difference shown"


def lines(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield a table with a row per seed, the true gain, and how many verdicts agree with it."""
    gain, error = true_gain(judged)
    yield from markdown_head("seed", "gain on the test part", "true gain", "verdict", "agrees")
    count = 0
    for number, one in enumerate(judged, start=1):
        is_right = agrees(one.verdict, gain, error)
        count += is_right
        estimate = format_estimate(one.gain, "+")
        answer = "yes" if is_right else "no"
        yield markdown_row(str(number), estimate, f"{one.truth.value:+.3f}", one.verdict, answer)
    found = Counter(one.verdict for one in judged)
    counted = ", ".join(f"{verdict} {times}" for verdict, times in found.most_common())
    yield f"\nTrue gain: {gain:+.3f}, standard error {error:.3f}. Verdicts: {counted}."
    yield f"{count} of {len(judged)} verdicts agree with the true gain."


if __name__ == "__main__":
    run(main)
