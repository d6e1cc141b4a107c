"""Training in each fold of a repeated cross-validation, with a choice of source and λ inside the fold alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graft.common.seeds import derive
from graft.networks.saved import Model
from graft.repeated.cache import Arrays, collect_units
from graft.repeated.divide import divide_into_folds
from graft.repeated.trainings import Rows, Source, Trials


@dataclass(frozen=True)
class Fold:
    """One fold of one repeat: who validated and who was tested, and what each network said of them."""

    repeat: int
    number: int
    rows: Rows
    scratch: Arrays  # `validation` and `asked`, (N, C) each
    candidates: Sequence[Arrays]  # as many as there are sources times λ


def candidate_sources(sources: Mapping[str, Model], lambdas: Sequence[float]) -> list[Source]:
    """Every source with every λ."""
    return [
        Source(name, model, weight)
        for name, model in sources.items()
        for weight in dict.fromkeys(lambdas)
    ]


def train_folds(
    trials: Trials,
    rows: np.ndarray,
    count: int,
    repeats: int,
    validation: float,
    offered: Sequence[Source],
    seed: int,
) -> list[Fold]:
    """Every fold of every repeat; a repeat has folds and a training seed of its own.

    Args:
        rows: of the domain, whose patients are divided.
        count: of folds.
        validation: share of the patients outside a fold who are not learnt from.
        offered: from `candidates`, each trained in every fold; the choice is made by those who judge.
    """
    domain = trials.domain
    places = [
        (repeat, number, Rows(*(rows[positions] for positions in divided)))
        for repeat in range(repeats)
        for number, divided in enumerate(
            divide_into_folds(
                domain.index.iloc[rows], domain.classes, count, validation, seed, repeat
            )
        )
    ]
    found = iter(
        collect_units(
            trials.stage,
            [
                trials.unit(
                    f"repeat {repeat + 1}, fold {number + 1}: {_name(source, offered)}",
                    "transfer" if source else "scratch",
                    here,
                    derive(seed, trials.stage, repeat),
                    source,
                )
                for repeat, number, here in places
                for source in (None, *offered)
            ],
        )
    )
    return [
        Fold(repeat, number, here, next(found), [next(found) for _ in offered])
        for repeat, number, here in places
    ]


def _name(source: Source | None, offered: Sequence[Source]) -> str:
    if source is None:
        return "scratch"
    return f"transfer from {source.name}, λ = {source.weight:g}" if len(offered) > 1 else "transfer"
