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
    """

    title: str
    finetune: Mapping[str, object] = field(default_factory=dict)
    weight: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What D trainings of a variant gave: AUROC (D,) by test part, and CPU seconds (D,)."""

    aurocs: Mapping[str, np.ndarray]
    seconds: np.ndarray


def run_trials(
    clone: Path, work: Path, variants: Sequence[Variant], patients: int, draws: int, seed: int
) -> list[Outcome]:
    """Train each variant on each draw of labelled patients, and score the test parts.

    All variants have the same draws. Nobody validates: the number of epochs is fixed. Finished
    trainings are kept in `work`.

    Args:
        clone: has the processed target, its split and the source network of the stage `pretrain`.
        work: the folder of finished trainings and checkpoints.
        variants: to train.
        patients: who train, in each draw.
        draws: D.
        seed: of the draws and of the trainings.

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
        settings = common.settings.model_copy(update={"finetune": finetune})
        trainings = replace(common, settings=settings)
        source = None
        if variant.weight is not None:
            source = PulledSource("pretrained", model, variant.weight)
        arm = "transfer" if source else "scratch"
        for draw, drawn in enumerate(rows):
            title = f"{variant.title}, draw {draw + 1}"
            training_seed = derive(seed, STAGE, draw)
            planned.append(timed(trainings.plan_one(title, arm, drawn, training_seed, source)))
    results = common.collect(planned, work / "trainings")
    outcomes = []
    for number in range(len(variants)):
        of_variant = results[number * draws : (number + 1) * draws]
        outcomes.append(score_results(domain, tests, of_variant))
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
    domain: Domain, tests: Mapping[str, np.ndarray], results: Sequence[Arrays]
) -> Outcome:
    """Compute the AUROC on each test part, in the order in which they were predicted."""
    aurocs = {}
    first = 0
    for part, rows in tests.items():
        codes = domain.index["label"].iloc[rows].map(domain.classes.index).to_numpy()
        weights = np.ones((1, len(rows)))
        of_part = []
        for result in results:
            predicted = result["predicted"][first : first + len(rows)]
            of_part.append(auroc_from_pairs(*count_ranked_pairs(codes, predicted, weights))[0])
        aurocs[part] = np.array(of_part)
        first += len(rows)
    return Outcome(aurocs, np.concatenate([result["seconds"] for result in results]))
