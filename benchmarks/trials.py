"""Trainings on small draws of a target's labelled patients, scored on all of its test patients."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.clone import ROOT
from graft.common.files import InputError
from graft.common.seeds import derive, generator
from graft.common.vocabulary import TESTS
from graft.config.parameters import Parameters, load_parameters
from graft.data.domain import Domain
from graft.data.reference import DomainReference
from graft.data.split import read_split
from graft.data.task import NO_ROWS
from graft.networks.reference import ModelReference
from graft.networks.settings import Predict
from graft.repeated.cache import Arrays, CachedTraining
from graft.repeated.divide import nested_shares
from graft.repeated.settings import RepeatedFinetuning
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows
from graft.statistics.repeated_auroc import auroc_from_pairs, count_ranked_pairs
from graft.transfer.settings import Finetune

STAGE = "strategies"  # names the trainings in the cache


@dataclass(frozen=True)
class Variant:
    """A way to train.

    Attributes:
        title: in the table.
        finetune: the parameters of `finetune` that differ from those of params.yaml.
        weight: λ; None trains from scratch.
        mirror: whether it predicts the mean over all mirror images.
    """

    title: str
    finetune: Mapping[str, object] = field(default_factory=dict)
    weight: float | None = None
    mirror: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a variant gave on D draws, from S seeds each.

    Attributes:
        aurocs: by test part, the mean AUROC of the S networks of each draw, (D,).
        together: by test part, the AUROC of the mean of their probabilities, (D,).
        seconds: CPU seconds of each training, (D·S,).
    """

    aurocs: Mapping[str, np.ndarray]
    together: Mapping[str, np.ndarray]
    seconds: np.ndarray


def run_trials(
    clone: Path,
    work: Path,
    variants: Sequence[Variant],
    patients: int,
    draws: int,
    seed: int,
    seeds: int = 1,
) -> list[Outcome]:
    """Train each variant on each draw of labelled patients, and score the test parts.

    All variants have the same draws and seeds. No patient is held back for validation: the number
    of epochs is fixed. Finished trainings are kept in `work`.

    Args:
        clone: has the processed target, its split and the source network of the stage `pretrain`.
        work: the folder of finished trainings and checkpoints.
        variants: to train.
        patients: who train, in each draw.
        draws: D.
        seed: of the draws and of the trainings.
        seeds: S, how often each variant trains on a draw.

    Returns:
        The outcome of each variant.

    Raises:
        InputError: if there are too few patients to draw from.
    """
    parameters = load_parameters(ROOT / "params.yaml")
    name = parameters.target
    target = DomainReference.to(clone / "data/processed" / name, work / "verified")
    domain = target.read()
    parts = read_split(clone / "data/splits" / f"{name}.csv", domain.index)
    tests = {part: parts[part] for part in TESTS if part in parts}
    rows = draw_rows(domain, parts, tests, patients, draws, seed)
    common = RepeatedTrainings(
        stage=STAGE,
        target=target,
        settings=finetuning(parameters),
        device=torch.device("cpu"),
        checkpoints=work / "checkpoints",
    )
    model = ModelReference.to(clone / "models/pretrained")
    planned = []
    for variant in variants:
        finetune = Finetune(**{**parameters.finetune.model_dump(), **variant.finetune})
        predict = Predict(mirror=variant.mirror)
        update = {"finetune": finetune, "predict": predict}
        settings = common.settings.model_copy(update=update)
        trainings = replace(common, settings=settings)
        source = None
        if variant.weight is not None:
            source = PulledSource("pretrained", model, variant.weight)
        arm = finetune.strategy if source else "scratch"
        for draw, drawn in enumerate(rows):
            for number in range(seeds):
                title = f"{variant.title}, draw {draw + 1}, seed {number + 1}"
                training_seed = derive(seed + number, STAGE, draw)
                training = trainings.plan_one(title, arm, drawn, training_seed, source)
                planned.append(timed(training))
    results = common.collect(planned, work / "trainings")
    of_each = draws * seeds
    outcomes = []
    for first in range(0, len(results), of_each):
        outcomes.append(score_results(domain, tests, results[first : first + of_each], seeds))
    return outcomes


def finetuning(parameters: Parameters) -> RepeatedFinetuning:
    """Return the parameters of a repeated training, from those of params.yaml."""
    names = RepeatedFinetuning.model_fields
    return RepeatedFinetuning(**{name: getattr(parameters, name) for name in names})


def draw_rows(
    domain: Domain,
    parts: Mapping[str, np.ndarray],
    tests: Mapping[str, np.ndarray],
    patients: int,
    draws: int,
    seed: int,
) -> list[Rows]:
    """Draw the patients to train on from all that are not tested, by class as there."""
    pool = np.sort(np.concatenate([parts["train"], parts.get("validation", NO_ROWS)]))
    index = domain.index.iloc[pool]
    available = index["patient"].nunique()
    if patients > available:
        raise InputError(f"--patients: got {patients}, expected at most {available}")
    predicted = np.concatenate(list(tests.values()))
    rows = []
    for draw in range(draws):
        random = generator(seed, STAGE, "patients", draw)
        (kept,) = nested_shares(index, domain.classes, [patients / available], random)
        rows.append(Rows(pool[kept], NO_ROWS, predicted))
    return rows


def timed(training: CachedTraining) -> CachedTraining:
    """Return a training whose result also has its processor time, `seconds`."""
    return replace(training, key=["timed", training.key], run=partial(_run_timed, training.run))


def _run_timed(run: Callable[[], Arrays]) -> Arrays:
    began = time.process_time()
    arrays = run()
    return {**arrays, "seconds": np.array([time.process_time() - began])}


def score_results(
    domain: Domain, tests: Mapping[str, np.ndarray], results: Sequence[Arrays], seeds: int
) -> Outcome:
    """Compute the AUROC on each test part, in the order in which they were predicted."""
    predicted = np.stack([result["predicted"] for result in results])  # (D·S, N, C)
    by_draw = predicted.reshape(-1, seeds, *predicted.shape[1:])  # (D, S, N, C)
    aurocs = {}
    together = {}
    first = 0
    for part, rows in tests.items():
        labels = domain.index["label"].iloc[rows].map(domain.classes.index).to_numpy()
        here = by_draw[:, :, first : first + len(rows)]
        single = [np.mean([auroc_of(labels, each) for each in of_draw]) for of_draw in here]
        aurocs[part] = np.array(single)
        together[part] = np.array([auroc_of(labels, mean) for mean in here.mean(1)])
        first += len(rows)
    return Outcome(aurocs, together, np.concatenate([result["seconds"] for result in results]))


def auroc_of(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Compute the AUROC of probabilities (N, C) for class codes (N,)."""
    correct, pairs = count_ranked_pairs(labels, probabilities, np.ones((1, len(labels))))
    return float(auroc_from_pairs(correct, pairs)[0])
