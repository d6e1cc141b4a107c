"""The block `cross_validation` of metrics.json: AUROC and gain over all patients of the target."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.common.documents import check_schema, clean
from graft.common.shown import counted
from graft.common.vocabulary import REFERENCE
from graft.data.domain import Domain
from graft.repeated_evaluation.folds import Fold, NamedCandidate, Predicted
from graft.repeated_evaluation.selection import (
    candidate_rows,
    choose_candidate,
    judge_selection,
    selection_lines,
)
from graft.statistics.cases import Cases, class_codes
from graft.statistics.formatting import format_estimate
from graft.statistics.repeated_auroc import (
    RepeatedAuroc,
    auroc_from_pairs,
    count_ranked_pairs,
    draw_repetitions,
)
from graft.statistics.scores import score
from graft.statistics.verdict import verdict

SCHEMA = Path(__file__).with_name("cross_validation.schema.json")


@dataclass(frozen=True)
class PredictedFold:
    """The n cases that one fold tested, and what one network predicted of them."""

    repeat: int
    cases: np.ndarray  # (n,) positions among all cases that were tested
    probabilities: np.ndarray  # (n, C)


def judge_folds(
    domain: Domain,
    folds: Sequence[Fold],
    candidates: Sequence[NamedCandidate],
    resamples: int,
    confidence: float,
    random: np.random.Generator,
    default: NamedCandidate | None = None,
) -> dict:
    """Judge transfer by cross-validation.

    In each fold, the candidate is chosen by the fold's own validation cases.

    Args:
        domain: the target.
        folds: of all repeats.
        candidates: what each fold chooses from.
        resamples: the number of bootstrap resamples of the patients.
        confidence: of the intervals.
        random: draws the resamples.
        default: the candidate that the pipeline trains without a choice.

    Returns:
        {"cross_validation": block} as in metrics.json. The block is None without folds.
    """
    if not folds:
        return {"cross_validation": None}
    tested = _tested_samples(folds)
    cases = Cases.of(domain.index.iloc[tested], domain.classes, resamples, random)
    losses = []
    chosen = []
    from_scratch = []
    transferred = []
    for fold in folds:
        losses_of_fold = _validation_losses(domain, fold)
        best = choose_candidate(losses_of_fold)
        losses.append(losses_of_fold)
        chosen.append(best)
        from_scratch.append(fold.scratch)
        transferred.append(fold.candidates[best])
    repeats = max(fold.repeat for fold in folds)
    picks = draw_repetitions(repeats, resamples, random)
    scratch = _areas(cases, _predicted_folds(folds, from_scratch, tested), picks)
    transfer = _areas(cases, _predicted_folds(folds, transferred, tested), picks)
    difference = transfer - scratch
    gain = {**difference.gain(confidence), **_by_repeat(difference)}
    fixed = []
    for k in range(len(candidates)):
        networks = [fold.candidates[k] for fold in folds]
        fixed.append(_areas(cases, _predicted_folds(folds, networks, tested), picks))
    block = {
        "folds": max(fold.number for fold in folds),
        "repeats": repeats,
        "patients": cases.draws.shape[1],
        "lesions": len(tested),
        "models": {
            REFERENCE: {"auroc": scratch.estimate(confidence), **_by_repeat(scratch)},
            "transfer": {"auroc": transfer.estimate(confidence), **_by_repeat(transfer)},
        },
        "gain": gain,
        "verdict": verdict(clean(gain)),
        "candidates": candidate_rows(
            candidates, np.array(losses), chosen, fixed, transfer, confidence
        ),
        "selection": judge_selection(candidates, fixed, transfer, default, confidence),
        "choices": _choice_rows(folds, candidates, chosen),
    }
    document = clean({"cross_validation": block})
    check_schema(document, SCHEMA)
    return document


def auroc_by_repeat(
    labels: np.ndarray, folds: Sequence[PredictedFold], weights: np.ndarray
) -> np.ndarray:
    """Compute AUROC of each of T repeats, over the pairs of cases that one fold tested.

    The probabilities of two folds come from two networks. A pair across folds would therefore
    compare networks instead of patients.

    Source: Airola et al., An experimental comparison of cross-validation techniques for estimating
    the area under the ROC curve, Computational Statistics and Data Analysis 55 (2011).

    Args:
        labels: (N,) class codes of all cases that were tested.
        folds: what one network per fold predicted.
        weights: (R, N), of the cases in each of R resamples.

    Returns:
        (R, T). It is NaN if no fold has a pair.
    """
    columns = []
    for repeat in sorted({fold.repeat for fold in folds}):
        won_by_fold, number_by_fold = [], []
        for fold in folds:
            if fold.repeat == repeat:
                won, number = count_ranked_pairs(
                    labels[fold.cases], fold.probabilities, weights[:, fold.cases]
                )
                won_by_fold.append(won)
                number_by_fold.append(number)
        won = sum(won_by_fold[1:], start=won_by_fold[0])
        number = sum(number_by_fold[1:], start=number_by_fold[0])
        columns.append(auroc_from_pairs(won, number))
    return np.stack(columns, 1)


def cross_validation_lines(block: Mapping) -> Iterator[str]:
    """Yield the printed lines: one per model, and one about the gain."""
    found = block["cross_validation"]
    if found is None:
        return
    for name, model in found["models"].items():
        repeats = []
        for value in model["by_repeat"]:
            repeats.append("not defined" if value is None else f"{value:.3f}")
        auroc = format_estimate(model["auroc"])
        yield f"{name}: AUROC {auroc}, by repeat {', '.join(repeats)}"
    unit = "patient" if found["patients"] else "lesion"
    tested = counted(found[f"{unit}s"], unit)
    yield (
        f"By {found['repeats']} × {found['folds']} folds of {tested}, the gain of transfer is "
        f"{format_estimate(found['gain'], '+')}: {found['verdict']}"
    )
    yield from selection_lines(found)


def _tested_samples(folds: Sequence[Fold]) -> np.ndarray:
    """The sample numbers of all cases that were tested, in rising order.

    The folds of one repeat test all of them.
    """
    samples = []
    for fold in folds:
        if fold.repeat == folds[0].repeat:
            samples.append(fold.scratch.samples["test"])
    return np.sort(np.concatenate(samples))


def _predicted_folds(
    folds: Sequence[Fold], networks: Sequence[Predicted], tested: np.ndarray
) -> list[PredictedFold]:
    """Collect what one network per fold predicted of the cases that its fold tested.

    Args:
        folds: of all repeats.
        networks: one of each fold.
        tested: the sample numbers of all cases that were tested, in rising order.
    """
    found = []
    for fold, network in zip(folds, networks, strict=True):
        cases = np.searchsorted(tested, network.samples["test"])
        found.append(PredictedFold(fold.repeat, cases, network.probabilities["test"]))
    return found


def _areas(cases: Cases, folds: Sequence[PredictedFold], picks: np.ndarray) -> RepeatedAuroc:
    """AUROC of one model in each of T repeats; `picks` (R, T)."""

    def measure(weights: np.ndarray) -> np.ndarray:
        return auroc_by_repeat(cases.labels, folds, weights)

    return RepeatedAuroc.of(measure, cases, picks)


def _validation_losses(domain: Domain, fold: Fold) -> list[float]:
    """The log loss of each candidate on the validation cases of a fold; NaN without any."""
    losses = []
    for network in fold.candidates:
        if not len(network.samples["validation"]):
            losses.append(np.nan)
            continue
        labels = class_codes(domain.index.iloc[network.samples["validation"]], domain.classes)
        ones = np.ones((1, len(labels)))
        scores = score(labels, network.probabilities["validation"], ones, None)
        losses.append(scores["log_loss"][0])
    return losses


def _choice_rows(
    folds: Sequence[Fold], candidates: Sequence[NamedCandidate], chosen: Sequence[int]
) -> list[dict]:
    rows = []
    for fold, k in zip(folds, chosen, strict=True):
        rows.append({"repeat": fold.repeat, "fold": fold.number, **candidates[k].named()})
    return rows


def _by_repeat(areas: RepeatedAuroc) -> dict:
    return {"seed_sd": areas.spread, "by_repeat": list(areas.each)}
