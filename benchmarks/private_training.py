"""What does privacy of the source cost, for the source itself and for the target?

    dvc repro
    python -m benchmarks.private_training
    python -m benchmarks.private_training --epsilon 3 --vary lr=0.003 --vary lr=0.03

Trains on the source of a finished run for several ε, each from several seeds, and without privacy
by the recipe of params.yaml. Fine-tunes each of these networks on the labelled patients of the
target. Prints the mean AUROC and its standard error over the seeds in Markdown: of the source on
its validation part and its external site, and of the target on its test part and external site.
With --vary it trains the source alone, with other values of `privacy`, and scores its validation
part. Finished trainings are kept in --workdir, so that the same command resumes. On one core,
a private training takes 3 minutes and the whole table 50.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated

import numpy as np
import torch
import typer
from sklearn.metrics import roc_auc_score

from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.files import read_json, whole_file, write_json
from graft.common.seeds import derive
from graft.config.parameters import Parameters, load_parameters
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.split import read_split
from graft.networks.card import CARD
from graft.networks.out_of_fold import ALL
from graft.networks.reference import ModelReference
from graft.networks.saved import Model, load_model, save_model
from graft.private_training.source import PrivateSource, train_source, train_without_privacy
from graft.strategies.finetuning import FromScratch, FromSource
from graft.training.plan import Plan
from graft.training.stage import Labelled, StageTraining
from graft.transfer.start import start_from_scratch
from stages import paths

CPU = torch.device("cpu")
EPSILONS = (1.0, 3.0, 8.0, 0.0)  # 0: without privacy
SEEDS = 3
OF_SOURCE = ("validation", "external")
OF_TARGET = ("test", "external")

Figures = dict[str, float]


@dataclass(frozen=True)
class Trial:
    """A training on the source, and on the target from there.

    Attributes:
        folder: of the finished run.
        workdir: keeps its model and its figures.
        epsilon: of the source; None for training without privacy.
        seed: of all draws.
        vary: other values of `privacy`, as JSON by key.
    """

    folder: Path
    workdir: Path
    epsilon: float | None
    seed: int
    vary: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its files."""
        kind = "plain" if self.epsilon is None else f"epsilon-{self.epsilon:g}"
        return "-".join([kind, *self.vary, str(self.seed)])


def main(
    folder: Annotated[Path, typer.Option("--run", help="The folder of the finished run.")] = ROOT,
    epsilon: Annotated[
        list[float] | None, typer.Option(help="Only these ε; 0 for no privacy.")
    ] = None,
    vary: Annotated[
        list[str] | None, typer.Option(help="Values of `privacy`, as in lr=0.01,epochs=10.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings for each row.")] = SEEDS,
    workdir: Annotated[Path, typer.Option(help="Keeps finished trainings.")] = ROOT
    / ".graft/benchmarks/private_training",
) -> None:
    """Measure the cost of privacy."""
    torch.set_num_threads(1)
    workdir.mkdir(parents=True, exist_ok=True)
    columns = [f"source, {part}" for part in OF_SOURCE]
    if not vary:
        columns += [f"target, {part}" for part in OF_TARGET]
    for line in markdown_head("ε", "privacy", *columns):
        say(line)
    rows = {}
    usual = load_parameters(folder / paths.PARAMETERS).privacy.model_dump()
    for wanted in [found or None for found in epsilon or EPSILONS]:
        for change in vary or [""]:
            changed = tuple(value for value in change.split(",") if value and differs(value, usual))
            trials = [
                Trial(folder.resolve(), workdir, wanted, seed, changed)
                for seed in range(1, seeds + 1)
            ]
            found = [measure(trial) for trial in trials]
            label = "∞" if wanted is None else f"{wanted:g}"
            cells = [spread(found, column) for column in columns]
            say(markdown_row(label, ", ".join(changed) or "as in params.yaml", *cells))
            rows[wanted] = found
    if not vary and None in rows:
        cells = [spread(rows[None], f"scratch, {part}") for part in OF_TARGET]
        say(markdown_row("no source", "–", *["–"] * len(OF_SOURCE), *cells))
        report_costs(rows)


def differs(change: str, usual: Mapping[str, object]) -> bool:
    """Whether a change such as lr=0.01 gives another value than params.yaml."""
    key, _, value = change.partition("=")
    return usual[key] != json.loads(value)


def measure(trial: Trial) -> Figures:
    """Train and score, or read what an earlier call found."""
    result = trial.workdir / f"{trial.name}.json"
    if result.exists():
        return read_json(result)
    parameters = load_parameters(trial.folder / paths.PARAMETERS)
    seed = derive(parameters.seed, "private_training", trial.seed)
    source = trial.workdir / trial.name
    if not (source / CARD).exists():
        train_on_source(trial, parameters, seed, source)
    name = parameters.source
    figures = score(trial.folder, name, load_model(source), "source", OF_SOURCE)
    if not trial.vary:
        target = parameters.target
        model = finetune(trial, parameters, seed, source)
        figures |= score(trial.folder, target, model, "target", OF_TARGET)
        if trial.epsilon is None:
            model = finetune(trial, parameters, seed, None)
            figures |= score(trial.folder, target, model, "scratch", OF_TARGET)
    with whole_file(result) as path:
        write_json(path, figures)
    return figures


def train_on_source(trial: Trial, parameters: Parameters, seed: int, folder: Path) -> None:
    """Train on the source, privately or not, and write a model folder."""
    name = parameters.source
    processed, split = trial.folder / paths.processed(name), trial.folder / paths.split(name)
    source = PrivateSource.read(processed, split, CPU, memory=0.5)
    start = start_from_scratch(parameters.network, source.task, seed, CPU)
    checkpoints = trial.workdir / "checkpoints"
    plan = Plan(
        parameters.pretrain, parameters.training, parameters.augment, seed, trial.name, checkpoints
    )
    if trial.epsilon is None:
        model = train_without_privacy(source, start, plan)
        folder.mkdir(parents=True)
        save_model(folder, model.networks, {**model.card, "stage": "pretrain"})
        return
    changed = {"epsilon": trial.epsilon}
    for change in trial.vary:
        key, _, value = change.partition("=")
        changed[key] = json.loads(value)
    privacy = parameters.privacy.model_copy(update=changed)
    train_source(source, start, plan, privacy, folder, log=lambda row: None)


def finetune(trial: Trial, parameters: Parameters, seed: int, source: Path | None) -> Model:
    """Train on all labelled patients of the target, as the stage `finetune` does.

    Without a source it trains from scratch.
    """
    name = parameters.target
    labelled = Labelled.read(trial.folder / paths.processed(name), trial.folder / paths.split(name))
    checkpoints = trial.workdir / "checkpoints"
    plan = Plan(
        parameters.finetune,
        parameters.training,
        parameters.augment,
        seed,
        f"target-{trial.name}",
        checkpoints,
    )
    common = (labelled, CPU, plan, parameters.predict)
    stage: StageTraining
    if source is None:
        stage = FromScratch(*common, parameters.network)
    else:
        reference = ModelReference.to(source)
        stage = FromSource(*common, parameters.finetune, reference, parameters.lambda_)
    trained = stage.train(ALL)
    card = {"architecture": trained.architecture, "classes": trained.task.domain.classes}
    return Model({**card, "shares": [1.0]}, [network.eval() for network in trained.networks])


def score(folder: Path, name: str, model: Model, role: str, parts: Sequence[str]) -> Figures:
    """The AUROC of a model on some parts of a domain."""
    domain = Domain.read(folder / paths.processed(name))
    rows = read_split(folder / paths.split(name), domain.index)
    disease = domain.classes[-1]
    figures = {}
    for part in parts:
        predicted = model.predict(ImageRows(domain.images, rows[part]))[:, -1]
        is_diseased = np.asarray(domain.index["label"].iloc[rows[part]] == disease)
        figures[f"{role}, {part}"] = float(roc_auc_score(is_diseased, predicted))
    return figures


def spread(found: Sequence[Figures], column: str) -> str:
    """The mean of a figure and its standard error over the seeds."""
    values = [figures[column] for figures in found]
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{mean(values):.3f} ± {stdev(values) / len(values) ** 0.5:.3f}"


def report_costs(rows: dict[float | None, list[Figures]]) -> None:
    """Report each ε beside training without privacy."""
    for epsilon, found in rows.items():
        for column in ("source, external", "target, external") if epsilon else ():
            graft = mean(figures[column] for figures in found)
            plain = mean(figures[column] for figures in rows[None])
            report(
                Comparison(
                    what=f"AUROC, {column}, source private with ε = {epsilon:g}",
                    unit="",
                    graft=graft,
                    peer="no privacy",
                    of_peer=plain,
                    more_is_better=True,
                    note=f"mean of {len(found)} seeds",
                )
            )


if __name__ == "__main__":
    run(main)
