"""The trainings of a learning curve: each arm with some shares of the labels, several times."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.seeds import derive, generator
from graft.data.predictions import probability_columns, probability_table
from graft.data.task import NO_ROWS
from graft.repeated.cache import Arrays
from graft.repeated.divide import nested_shares
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows
from graft.transfer.settings import Arm, Strategy

COLUMNS = ("share", "draw", "patients", "lesions", "arm", "sample")


def train_learning_curve(
    trainings: RepeatedTrainings,
    parts: Mapping[str, np.ndarray],
    shares: Sequence[float],
    draws: int,
    source: PulledSource,
    arms: Sequence[Arm],
    seed: int,
    cache: Path,
) -> tuple[pd.DataFrame, list[Arrays]]:
    """Train every arm with every share of the labels in every draw, and predict the test part.

    Within a draw, a smaller share is part of a larger one, and all trainings have the same seed.

    Args:
        trainings: what all of them have in common.
        parts: rows of the target by part. The patients are drawn from train and, if there is
            one, validation. Without it, all drawn patients train for a fixed number of epochs.
        shares: of the labelled patients, in (0, 1].
        draws: how often patients are drawn.
        source: the pretrained network that the strategies start from.
        arms: the strategies to train by, beside scratch and the strategy of the settings.
        seed: of all random draws.
        cache: the folder of finished trainings.

    Returns:
        A row per share, draw, arm and test case: COLUMNS and the probabilities. `patients` and
        `lesions` count those with labels. And the results, with weights, of the trainings by the
        strategy of the settings with all labels.
    """
    shares = sorted(set(shares))
    strategy = trainings.settings.finetune.strategy
    trained = arms_to_train(strategy, arms)
    seeds = seeds_of_draws(trainings, draws, seed)
    drawn = [_draw_rows(trainings, parts, shares, seed, draw) for draw in range(draws)]
    places = []
    planned = []
    for at, share in enumerate(shares):
        for arm in trained:
            for draw in range(draws):
                name = f"{arm}, {share:.0%} of the labels, draw {draw + 1}"
                rows = drawn[draw][at]
                start = None if arm == "scratch" else source
                keep = share == 1 and arm == strategy
                training = trainings.plan_one(name, arm, rows, seeds[draw], start, keep)
                planned.append(training)
                places.append((share, draw, arm, rows))
    results = trainings.collect(planned, cache)
    tables = []
    kept = []
    for (share, draw, arm, rows), result in zip(places, results, strict=True):
        if share == 1 and arm == strategy:
            kept.append(result)
        table = probability_table(result["predicted"], trainings.domain.classes)
        labelled = np.concatenate([rows.train, rows.validation])
        patients = trainings.domain.index["patient"].iloc[labelled].nunique()
        values = (share, draw + 1, patients, len(labelled), arm, rows.predicted)
        for position, (column, value) in enumerate(zip(COLUMNS, values, strict=True)):
            table.insert(position, column, value)
        tables.append(table)
    return pd.concat(tables, ignore_index=True), kept


def seeds_of_draws(trainings: RepeatedTrainings, draws: int, seed: int) -> list[int]:
    """The seed of the trainings of each draw, the same for all shares and arms."""
    return [derive(seed, trainings.stage, draw) for draw in range(draws)]


def arms_to_train(strategy: Strategy, arms: Sequence[Arm]) -> list[Arm]:
    """Scratch, the strategy of fine-tuning, and the other arms, each once and in this order."""
    wanted: list[Arm] = ["scratch", strategy, *arms]
    return list(dict.fromkeys(wanted))


def empty_table(classes: Sequence[str]) -> pd.DataFrame:
    """The table of a learning curve without trainings."""
    return pd.DataFrame(columns=[*COLUMNS, *probability_columns(classes)])


def _draw_rows(
    trainings: RepeatedTrainings,
    parts: Mapping[str, np.ndarray],
    shares: Sequence[float],
    seed: int,
    draw: int,
) -> list[Rows]:
    """Draw the patients of each share once: the rows of each share, in the order of `shares`."""
    domain = trainings.domain
    nested = {"validation": [NO_ROWS] * len(shares)}
    for part in ("train", "validation"):
        if part in parts:
            random = generator(seed, trainings.stage, domain.name, part, draw)
            index = domain.index.iloc[parts[part]]
            positions = nested_shares(index, domain.classes, shares, random)
            nested[part] = [parts[part][kept] for kept in positions]
    return [
        Rows(train, validation, parts["test"])
        for train, validation in zip(nested["train"], nested["validation"], strict=True)
    ]
