"""Training at each share of the labels, with several draws of the patients who have one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graft.common.seeds import derive, generator
from graft.repeated.cache import collect_units
from graft.repeated.divide import nested_shares
from graft.repeated.trainings import Rows, Source, Trials

ARMS = ("scratch", "transfer", "frozen")


@dataclass(frozen=True)
class Point:
    """What one share of the labels came to: patients and lesions drawn, and each arm's predictions."""

    share: float
    patients: Sequence[int]  # of each of D draws
    lesions: Sequence[int]
    probabilities: Mapping[str, Sequence[np.ndarray]]  # arm -> D times (N, C), of the test part


def train_learning_curve(
    trials: Trials,
    parts: Mapping[str, np.ndarray],
    shares: Sequence[float],
    draws: int,
    source: Source,
    seed: int,
) -> list[Point]:
    """A point for each of `shares`, smallest first.

    Within a draw a smaller share is part of a larger one, and all trainings of a draw have the same seed.

    Args:
        parts: of the target, as `graft.data.split.read` gives them; the patients of train and validation are drawn from.
    """
    shares = sorted(set(shares))
    drawn = [_draw(trials, parts, shares, seed, draw) for draw in range(draws)]
    found = iter(
        collect_units(
            trials.stage,
            [
                trials.unit(
                    f"{arm}, {share:.0%} of the labels, draw {draw + 1}",
                    arm,
                    drawn[draw][at],
                    derive(seed, trials.stage, draw),
                    None if arm == "scratch" else source,
                )
                for at, share in enumerate(shares)
                for arm in ARMS
                for draw in range(draws)
            ],
        )
    )
    points = []
    for at, share in enumerate(shares):
        labelled = [np.concatenate([rows[at].train, rows[at].validation]) for rows in drawn]
        points.append(
            Point(
                share,
                [trials.domain.index["patient"].iloc[rows].nunique() for rows in labelled],
                [len(rows) for rows in labelled],
                {arm: [next(found)["asked"] for _ in range(draws)] for arm in ARMS},
            )
        )
    return points


def _draw(
    trials: Trials, parts: Mapping[str, np.ndarray], shares: Sequence[float], seed: int, draw: int
) -> list[Rows]:
    """The rows of each share in one draw."""
    domain, nested = trials.domain, []
    for part in ("train", "validation"):
        random = generator(seed, trials.stage, domain.name, part, draw)
        positions = nested_shares(domain.index.iloc[parts[part]], domain.classes, shares, random)
        nested.append([parts[part][kept] for kept in positions])
    return [
        Rows(train, validation, parts["test"]) for train, validation in zip(*nested, strict=True)
    ]
