"""A positive control: from lung nodules to the calcification of other patients' lung nodules.

    python -m benchmarks.lidc_to_lidc --data <folder> --workdir lidc

Divides the patients into two halves. A source network trains on one half without its
calcification: on malignancy, or on malignancy and the other ratings, or on these after learning
from the images alone. The other half is the target:
in each of 5 folds, networks train on a share of the labels outside the fold, by every strategy, and
predict the fold. Then the halves change places. So each patient is tested once, by networks that
were trained on other patients. λ and the number of epochs are those of params.yaml. Prints AUROC
and gain over scratch, with standard errors over the 10 trainings, and the same for pairs of nodules
of about the same size. Resumes in --workdir. Takes about 15 minutes on one core.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.lidc import SIDE, TASKS, Nodules, nodule_domain, read_nodules
from benchmarks.lung_to_adrenal import VARIABLE
from benchmarks.real_sources import SourcePlan, read_parameters, source_parts, train_sources
from benchmarks.real_trials import SCRATCH, Arm, Bench, Trial, halve, predict_by_size
from benchmarks.trial_scores import Spread, gains, size_quarters
from benchmarks.trial_tables import (
    Scores,
    choose_by_others,
    score_trials,
    share_table,
)
from graft.common.files import InputError, whole_file
from graft.common.seeds import derive, generator
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.folds import deal_patients, random_orders
from graft.networks.reference import ModelReference
from graft.repeated.divide import nested_shares

NAME = "lidc_to_lidc"
SHARES = (0.05, 0.1, 0.2, 0.5)  # of the labels outside of a fold
FOLDS = 5
MALIGNANCY = "malignancy"
RATINGS = "ratings"  # the source that trains on malignancy and the other ratings
CONTRAST = "contrast and ratings"  # the same, after its body learned from the images alone
DEFAULT = Arm(f"l2-sp, {RATINGS}", RATINGS)  # graft's default strategy, fixed in advance
ARMS = (
    Arm(SCRATCH),
    DEFAULT,
    Arm("l2-sp, malignancy", MALIGNANCY),
    Arm(f"frozen, {RATINGS}", RATINGS, finetune={"strategy": "frozen"}),
    Arm("frozen, malignancy", MALIGNANCY, finetune={"strategy": "frozen"}),
)
OTHERS = ("lp-ft", "delta", "wise-ft")  # wise-ft trains several times
OTHER_ARMS = (
    Arm(f"l2-sp, {CONTRAST}", CONTRAST),
    Arm(f"l2-sp, λ = 0, {RATINGS}", RATINGS, weight=0.0),
    *(Arm(f"{name}, {RATINGS}", RATINGS, finetune={"strategy": name}) for name in OTHERS),
)
FEW = 0.1  # the largest share of the labels at which OTHER_ARMS are trained too


def main(
    data: Annotated[Path, typer.Option(envvar=VARIABLE, help="The folder of the real data.")],
    workdir: Annotated[
        Path, typer.Option(help="The folder of the sources and of finished trainings.")
    ] = ROOT / ".graft/benchmarks" / NAME,
    target: Annotated[str, typer.Option(help="The rating to predict.")] = "calcification",
    share: Annotated[
        list[float] | None, typer.Option(help="A share of the labels; may be given repeatedly.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The CSV file for all predictions.")] = None,
) -> None:
    """Transfer from one half of the nodules to another rating of the other half, and back."""
    ratings = [name for name in TASKS if name != MALIGNANCY]
    if target not in ratings:
        raise InputError(f"--target: got {target!r}, expected one of {', '.join(ratings)}")
    nodules = read_nodules(data)
    bench = Bench(NAME, workdir.absolute(), read_parameters())
    domain = nodule_domain(nodules, "target", target, SIDE)
    half_of = halve(domain, NAME, bench.parameters.seed)
    sources = train_all_sources(bench, nodules, target, half_of)
    trials = make_trials(domain, half_of, sources, share or SHARES, bench.parameters.seed)
    targets = {"image": bench.keep(domain, f"target-{target}")}
    few = [trial for trial in trials if trial.share <= FEW]
    tables = [bench.run(targets, trials, ARMS), bench.run(targets, few, OTHER_ARMS)]
    predicted = pd.concat([*tables, predict_by_size(domain, trials)], ignore_index=True)
    if out:
        with whole_file(out) as path:
            predicted.to_csv(path, index=False)
    groups = {trial.number: trial.number // FOLDS for trial in trials}
    for scores in score_trials(domain, trials, predicted, size_quarters(nodules.sizes())):
        transfer = [arm.name for arm in (*ARMS, *OTHER_ARMS) if arm.source]
        candidates = [arm for arm in transfer if arm in scores.overall]
        scores, chosen = choose_by_others(scores, candidates, groups)
        for line in share_table(scores):
            say(line)
        say(f"\nChosen: {', '.join(chosen.values())}.")
        report_gain(scores, target)


def train_all_sources(
    bench: Bench, nodules: Nodules, target: str, half_of: np.ndarray
) -> list[dict[str, ModelReference]]:
    """Train the sources of each half, which know no calcification if that is the target."""
    others = [name for name in TASKS if name not in (MALIGNANCY, target)]
    plans = []
    for name, tasks in ((MALIGNANCY, []), (RATINGS, others), (CONTRAST, others)):
        domain = nodule_domain(nodules, "source", MALIGNANCY, SIDE, tasks)
        reference = bench.keep(domain, f"ratings-for-{target}" if tasks else name)
        for half in (0, 1):
            random = generator(0, NAME, "source", half)
            parts = source_parts(domain, half_of == half, random)
            seed = derive(bench.parameters.seed, NAME, half)
            plans.append(SourcePlan(reference, parts, seed, contrast=name == CONTRAST))
    models = train_sources(plans, bench.parameters, bench.folder / "sources")
    names = (MALIGNANCY, RATINGS, CONTRAST)
    return [dict(zip(names, models[half::2], strict=True)) for half in (0, 1)]


def make_trials(
    domain: Domain,
    half_of: np.ndarray,
    sources: Sequence[Mapping[str, ModelReference]],
    shares: Sequence[float],
    seed: int,
) -> list[Trial]:
    """Divide each half into folds, and draw shares of the labels outside of each fold.

    The source of a half is the network of the other one.
    """
    trials = []
    for half in (0, 1):
        rows = np.flatnonzero(half_of == half)
        index = domain.index.iloc[rows]
        orders = random_orders(index, domain.classes, generator(seed, NAME, "folds", half))
        fold_of = index["patient"].map(deal_patients(orders, FOLDS)).to_numpy()
        for fold in range(FOLDS):
            pool = rows[fold_of != fold]
            random = generator(seed, NAME, "labels", half, fold)
            drawn = nested_shares(domain.index.iloc[pool], domain.classes, shares, random)
            number = half * FOLDS + fold
            test = rows[fold_of == fold]
            for share, kept in zip(shares, drawn, strict=True):
                trials.append(Trial(number, share, pool[kept], test, sources[1 - half]))
    return trials


def report_gain(scores: Scores, target: str) -> None:
    """Report the AUROC of the strategy that was fixed in advance, beside that from scratch."""
    default, scratch = scores.overall[DEFAULT.name], scores.overall[SCRATCH]
    gain = gains(default, scratch)
    report(
        Comparison(
            what=f"AUROC for {target} of nodules, {scores.share * 100:g} % of the labels",
            unit="",
            graft=Spread.of(list(default.values())).mean,
            peer="from scratch",
            of_peer=Spread.of(list(scratch.values())).mean,
            more_is_better=True,
            note=f"gain {gain.shown('+')} (standard error over {gain.count} trainings)",
        )
    )


if __name__ == "__main__":
    run(main)
