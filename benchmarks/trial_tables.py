"""Tables of repeated trainings on real data, in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.real_trials import SCRATCH, SIZE_ALONE, Trial
from benchmarks.trial_scores import Spread, auroc, auroc_within, gains, verdict
from graft.data.domain import Domain

CHOSEN = "chosen on the other half"
Figures = Mapping[str, Mapping[int, float]]  # of each arm, of each training


@dataclass(frozen=True)
class Scores:
    """AUROC of each arm and training at one share of the labels.

    Attributes:
        share: of the labels.
        lesions: that training had, on average.
        overall: over all pairs of test cases.
        within: over pairs of test cases of the same size quarter.
    """

    share: float
    lesions: float
    overall: Figures
    within: Figures


def score_trials(
    domain: Domain, trials: Sequence[Trial], predictions: pd.DataFrame, quarters: np.ndarray
) -> list[Scores]:
    """Score every training on its own test cases, share by share.

    Args:
        domain: the target.
        trials: that were run.
        predictions: a row per trial, arm and test case, as `Bench.run` returns them.
        quarters: (N,), the size quarter of each lesion of the domain.
    """
    diseased = (domain.index["label"] == domain.classes[1]).to_numpy()
    found = []
    for share, of_share in predictions.groupby("share"):
        overall: dict[str, dict[int, float]] = {}
        within: dict[str, dict[int, float]] = {}
        for (arm, number), rows in of_share.groupby(["arm", "trial"], sort=False):
            samples = rows["sample"].to_numpy()
            probability = rows["probability"].to_numpy()
            labels = diseased[samples]
            overall.setdefault(arm, {})[number] = auroc(labels, probability)
            within.setdefault(arm, {})[number] = auroc_within(
                labels, probability, quarters[samples]
            )
        lesions = np.mean([len(trial.train) for trial in trials if trial.share == share])
        found.append(Scores(float(share), float(lesions), overall, within))
    return found


def choose_by_others(
    scores: Scores, candidates: Sequence[str], groups: Mapping[int, int]
) -> tuple[Scores, dict[int, str]]:
    """Add an arm that is chosen for each group of trainings by the results of the other groups.

    No test case of a training has a part in the choice of its arm.

    Args:
        scores: of all arms.
        candidates: the arms to choose from.
        groups: the group of each training.

    Returns:
        The scores with the arm CHOSEN, and the arm that was chosen for each group.
    """
    chosen = {}
    for group in sorted(set(groups.values())):
        others = [number for number, of in groups.items() if of != group]
        means = {arm: np.mean([scores.overall[arm][n] for n in others]) for arm in candidates}
        chosen[group] = max(candidates, key=lambda arm: means[arm])
    picked = {}
    for name in ("overall", "within"):
        figures = getattr(scores, name)
        of_chosen = {number: figures[chosen[group]][number] for number, group in groups.items()}
        picked[name] = {**figures, CHOSEN: of_chosen}
    return Scores(scores.share, scores.lesions, **picked), chosen


def share_table(scores: Scores, reference: str = SCRATCH) -> Iterator[str]:
    """Yield the table of one share: a row per arm, with its gain over a reference."""
    trainings = len(scores.overall[reference])
    yield (
        f"\n{scores.share * 100:g} % of the labels: {scores.lesions:.0f} lesions, {trainings} "
        "trainings. Standard errors over the trainings in brackets.\n"
    )
    yield from markdown_head(
        "",
        "AUROC",
        f"gain over {reference}",
        "95 % interval",
        "",
        "AUROC at equal size",
        f"gain over {reference} at equal size",
    )
    for arm in scores.overall:
        overall = Spread.of(list(scores.overall[arm].values()))
        within = Spread.of(list(scores.within[arm].values()))
        if arm == reference:
            yield markdown_row(arm, overall.shown(), "", "", "", within.shown(), "")
            continue
        gain = gains(scores.overall[arm], scores.overall[reference])
        gain_within = gains(scores.within[arm], scores.within[reference])
        low, high = gain.interval()
        yield markdown_row(
            arm,
            overall.shown(),
            gain.shown("+"),
            f"[{low:+.3f}, {high:+.3f}]",
            "" if arm == SIZE_ALONE else verdict(gain),
            within.shown(),
            gain_within.shown("+"),
        )
