"""Why does a network miss what a lesion's size predicts, and what helps?

    python -m benchmarks.size_input --data <folder> --workdir size

First it prints how well size and brightness can be read from the features of trained networks. Then
it trains on the malignancy of lung nodules, which size alone predicts well, with a tenth of the
labels outside of each of 10 folds, from scratch and in several ways: with the size as an input
(`covariates: {log_size: number}`), without the change of scale of the augmentation, with the
network `resnet-peaks`, without any augmentation, and with a larger patch, in three ways. With
--target it predicts another rating. Each patient is tested once. Prints AUROC and gain over the
default, with standard errors over the 10 trainings, also for pairs of nodules of about the same
size. Resumes in --workdir. Takes about 8 minutes on one core.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.feature_contents import contents_table
from benchmarks.lidc import SIDE, TASKS, Nodules, nodule_domain, read_nodules
from benchmarks.lung_to_adrenal import VARIABLE
from benchmarks.real_sources import SourcePlan, source_parts, train_sources
from benchmarks.real_trials import SIZE_ALONE, Arm, Bench, Trial, predict_by_size, with_size
from benchmarks.trial_scores import Spread, gains, size_quarters
from benchmarks.trial_tables import Scores, score_trials, share_table
from graft.common.files import InputError
from graft.common.seeds import generator
from graft.config.parameters import load_parameters
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.folds import deal_patients, random_orders
from graft.networks.features import extract_features
from graft.repeated.divide import nested_shares

NAME = "size_input"
FOLDS = 10
SHARE = 0.1  # of the labels outside of a fold
LARGE = 24  # voxels a side of the larger patch
DEFAULT = Arm("default")
SIZE_INPUT = Arm("size as an input", target="size")
ARMS = (
    DEFAULT,
    SIZE_INPUT,
    Arm("scale: 0", augment={"scale": 0.0}),
    Arm("resnet-peaks", network={"name": "resnet-peaks"}),
    Arm("no augmentation", finetune={"transforms": 0}),
    Arm(f"patch of {LARGE}³", target="large"),
    Arm(f"patch of {LARGE}³, size as an input", target="large with size"),
    Arm(f"patch of {LARGE}³, resnet-peaks", network={"name": "resnet-peaks"}, target="large"),
)


def main(
    data: Annotated[Path, typer.Option(envvar=VARIABLE, help="The folder of the real data.")],
    workdir: Annotated[Path, typer.Option(help="The folder of finished trainings.")] = ROOT
    / ".graft/benchmarks"
    / NAME,
    target: Annotated[str, typer.Option(help="The rating to predict.")] = "malignancy",
) -> None:
    """Compare ways to train on lung nodules with what their size alone predicts."""
    if target not in TASKS:
        raise InputError(f"--target: got {target!r}, expected one of {', '.join(TASKS)}")
    nodules = read_nodules(data)
    bench = Bench(NAME, workdir.absolute(), load_parameters(ROOT / "params.yaml"))
    domain = nodule_domain(nodules, "nodules", target, SIDE)
    large = nodule_domain(nodules, "nodules", target, LARGE)
    targets = {
        "image": bench.keep(domain, target),
        "size": bench.keep(with_size(domain), f"{target}-size"),
        "large": bench.keep(large, f"{target}-large"),
        "large with size": bench.keep(with_size(large), f"{target}-large-size"),
    }
    for line in contents_table(*trained_features(bench, domain, nodules), nodules.patients):
        say(line)
    trials = make_trials(domain, bench.parameters.seed)
    predicted = bench.run(targets, trials, ARMS)
    predicted = pd.concat([predicted, predict_by_size(domain, trials)], ignore_index=True)
    for scores in score_trials(domain, trials, predicted, size_quarters(nodules.sizes())):
        for line in share_table(scores, DEFAULT.name):
            say(line)
        report_size(scores, target)


def trained_features(
    bench: Bench, domain: Domain, nodules: Nodules
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Train each network on all labels of nine tenths of the patients.

    Returns:
        The features (N, F) of all nodules by network, and the numbers (N,) to read from them.
    """
    orders = random_orders(domain.index, domain.classes, generator(0, NAME, "source"))
    tenth = domain.index["patient"].map(deal_patients(orders, 10)).to_numpy()
    parts = source_parts(domain, tenth > 0, generator(0, NAME, "validation"))
    plan = SourcePlan(bench.keep(domain, "source"), parts, bench.parameters.seed)
    features = {}
    for name in ("resnet", "resnet-peaks"):
        network = bench.parameters.network.model_copy(update={"name": name})
        parameters = bench.parameters.model_copy(update={"network": network})
        (model,) = train_sources([plan], parameters, bench.folder / "sources")
        trained = model.load(torch.device("cpu")).networks[0]
        features[name] = extract_features(trained.eval(), domain.images)
    brightest = nodules.volumes.max((1, 2, 3)).astype(float)
    return features, {"log size": np.log(nodules.sizes()), "brightest voxel": brightest}


def report_size(scores: Scores, target: str) -> None:
    """Report the AUROC with the size as an input, beside that of the size alone."""
    with_input, default = scores.overall[SIZE_INPUT.name], scores.overall[DEFAULT.name]
    gain = gains(with_input, default)
    report(
        Comparison(
            what=f"AUROC for {target} of nodules, size as an input, {scores.lesions:.0f} labels",
            unit="",
            graft=Spread.of(list(with_input.values())).mean,
            peer=SIZE_ALONE,
            of_peer=Spread.of(list(scores.overall[SIZE_ALONE].values())).mean,
            more_is_better=True,
            note=f"gain over images alone {gain.shown('+')} (standard error)",
        )
    )


def make_trials(domain: Domain, seed: int) -> list[Trial]:
    """Divide the patients into folds, and draw SHARE of the labels outside of each."""
    orders = random_orders(domain.index, domain.classes, generator(seed, NAME, "folds"))
    fold_of = domain.index["patient"].map(deal_patients(orders, FOLDS)).to_numpy()
    trials = []
    for fold in range(FOLDS):
        pool = np.flatnonzero(fold_of != fold)
        random = generator(seed, NAME, "labels", fold)
        (kept,) = nested_shares(domain.index.iloc[pool], domain.classes, [SHARE], random)
        trials.append(Trial(fold, SHARE, pool[kept], np.flatnonzero(fold_of == fold)))
    return trials


if __name__ == "__main__":
    run(main)
