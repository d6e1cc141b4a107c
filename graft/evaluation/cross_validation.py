"""Does transfer help, by cross-validation: AUROC and gain over all patients of the target, and what was chosen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.common.documents import DECIMALS, check_schema, clean
from graft.data.domain import Domain
from graft.repeated.cache import Arrays
from graft.repeated.cross_validation import Fold
from graft.repeated.trainings import Source
from graft.statistics.cases import Cases, class_codes
from graft.statistics.formatting import format_estimate
from graft.statistics.repeated_auroc import Areas, area, pairs, pick
from graft.statistics.scores import score
from graft.statistics.verdict import verdict

SCHEMA = Path(__file__).with_name("cross_validation.schema.json")


@dataclass(frozen=True)
class Said:
    """What a network said of the n cases that one fold tested."""

    repeat: int
    cases: np.ndarray  # (n,) positions among all that were tested
    probabilities: np.ndarray  # (n, C)


def judge(cases: Cases, said: Sequence[Said], picks: np.ndarray) -> Areas:
    """AUROC of one model in each of T repeats; `picks` (R, T) from `graft.statistics.repeated_auroc.pick`."""
    return Areas.of(lambda weights: by_repeat(cases.labels, said, weights), cases, picks)


def by_repeat(labels: np.ndarray, said: Sequence[Said], weights: np.ndarray) -> np.ndarray:
    """AUROC of each of T repeats, over the pairs of cases that were tested in one fold, summed over its folds.

    Probabilities of two folds come from two networks, so a pair across folds compares networks and not patients:
    Airola et al. (2011), An experimental comparison of cross-validation techniques for estimating the area under
    the ROC curve. NaN where no fold has a pair.

    Args:
        labels: (N,) class codes of all that were tested.
        weights: (R, N).

    Returns:
        (R, T).
    """
    columns = []
    for repeat in sorted({fold.repeat for fold in said}):
        counted = [
            pairs(labels[fold.cases], fold.probabilities, weights[:, fold.cases])
            for fold in said
            if fold.repeat == repeat
        ]
        columns.append(area(sum(won for won, _ in counted), sum(number for _, number in counted)))
    return np.stack(columns, 1)


def choose(losses: Sequence[float]) -> int:
    """The candidate with the least log loss on a fold's own validation patients; of equal ones the first."""
    return int(np.argmin(np.round(losses, DECIMALS)))


def assemble(
    domain: Domain,
    folds: Sequence[Fold],
    offered: Sequence[Source],
    resamples: int,
    confidence: float,
    random: np.random.Generator,
) -> dict:
    """The block `cross_validation`, checked. In each fold its own validation patients choose among `offered`."""
    tested = np.sort(
        np.concatenate([fold.rows.asked for fold in folds if fold.repeat == folds[0].repeat])
    )
    cases = Cases.of(domain.index.iloc[tested], domain.classes, resamples, random)
    losses = np.array(
        [_losses(domain, fold) for fold in folds]
    )  # (folds of all repeats, candidates)
    chosen = [choose(each) for each in losses]

    def said(found: Iterable[Arrays]) -> list[Said]:
        return [
            Said(fold.repeat, np.searchsorted(tested, fold.rows.asked), arrays["asked"])
            for fold, arrays in zip(folds, found, strict=True)
        ]

    ones = np.ones((1, len(tested)))
    picks = pick(1 + max(fold.repeat for fold in folds), resamples, random)
    scratch = judge(cases, said(fold.scratch for fold in folds), picks)
    transfer = judge(
        cases, said(fold.candidates[k] for fold, k in zip(folds, chosen, strict=True)), picks
    )
    gain = (transfer - scratch).gain(confidence) | _beside(transfer - scratch)
    block = clean(
        {
            "cross_validation": {
                "folds": max(fold.number for fold in folds) + 1,
                "repeats": len(scratch.each),
                "patients": cases.draws.shape[1],
                "lesions": len(tested),
                "models": {
                    name: {"auroc": areas.estimate(confidence), **_beside(areas)}
                    for name, areas in {"scratch": scratch, "transfer": transfer}.items()
                },
                "gain": gain,
                "verdict": verdict(clean(gain)),
                "candidates": [
                    {
                        **_named(source),
                        "validation_log_loss": losses[:, k].mean(),
                        "auroc": by_repeat(
                            cases.labels, said(fold.candidates[k] for fold in folds), ones
                        ).mean(),
                        "chosen": chosen.count(k),
                    }
                    for k, source in enumerate(offered)
                ],
                "choices": [
                    {"repeat": fold.repeat + 1, "fold": fold.number + 1, **_named(offered[k])}
                    for fold, k in zip(folds, chosen, strict=True)
                ],
            }
        }
    )
    check_schema(block, SCHEMA)
    return block


def lines(block: Mapping) -> Iterator[str]:
    """What to say of the block."""
    found = block["cross_validation"]
    for name, model in found["models"].items():
        yield f"{name}: AUROC {format_estimate(model['auroc'])}, over the repeats {_list(model['by_repeat'])}"
    yield (
        f"By {found['repeats']} × {found['folds']} folds of {found['patients']} patients, the gain of transfer is "
        f"{format_estimate(found['gain'], '+')}: {found['verdict']}"
    )


def _losses(domain: Domain, fold: Fold) -> list[float]:
    """The log loss of each candidate on the validation patients of a fold."""
    labels = class_codes(domain.index.iloc[fold.rows.validation], domain.classes)
    ones = np.ones((1, len(labels)))
    return [
        score(labels, arrays["validation"], ones, None)["log_loss"][0] for arrays in fold.candidates
    ]


def _beside(areas: Areas) -> dict:
    return {"seed_sd": areas.spread, "by_repeat": list(areas.each)}


def _named(source: Source) -> dict:
    return {"source": source.name, "lambda": source.weight}


def _list(values: Sequence[float | None]) -> str:
    return ", ".join("none" if value is None else f"{value:.3f}" for value in values)
