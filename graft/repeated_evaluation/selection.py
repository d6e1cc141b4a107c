"""What choosing a source, a strategy and λ within each fold of a cross-validation costs.

The AUROC of the choice is compared with that of each candidate, trained in every fold. The best of
these is known only in hindsight, by the tested folds. How much better it is than the choice is the
regret: what the choice missed, and what chance added to the best of several in the same test.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from graft.common.documents import DECIMALS
from graft.common.shown import counted
from graft.repeated_evaluation.folds import NamedCandidate
from graft.statistics.formatting import signed_estimate
from graft.statistics.repeated_auroc import RepeatedAuroc
from graft.statistics.sentences import candidate_name


def choose_candidate(losses: Sequence[float]) -> int:
    """Choose the candidate with the lowest log loss on a fold's validation cases.

    Of equal losses it is the first.
    """
    return int(np.argmin(np.round(losses, DECIMALS)))


def candidate_rows(
    candidates: Sequence[NamedCandidate],
    losses: np.ndarray,
    chosen: Sequence[int],
    fixed: Sequence[RepeatedAuroc],
    choice: RepeatedAuroc,
    confidence: float,
) -> list[dict]:
    """Return each candidate with its scores, how often it was chosen, and the choice over it.

    Args:
        candidates: K of them.
        losses: (F, K), the log loss of each on the validation cases of each fold.
        chosen: F numbers of candidates.
        fixed: the AUROC of each candidate, if it is trained in every fold.
        choice: the AUROC of what each fold chose.
        confidence: of the intervals.
    """
    rows = []
    for k, candidate in enumerate(candidates):
        row = candidate.named()
        row["validation_log_loss"] = losses[:, k].mean()
        row["auroc"] = fixed[k].estimate(confidence)
        row["chosen"] = list(chosen).count(k)
        row["choice_over_it"] = (choice - fixed[k]).gain(confidence)
        rows.append(row)
    return rows


def judge_selection(
    candidates: Sequence[NamedCandidate],
    fixed: Sequence[RepeatedAuroc],
    choice: RepeatedAuroc,
    default: NamedCandidate | None,
    confidence: float,
) -> dict | None:
    """Return what the choice gained over the default, and its regret in hindsight.

    Args:
        candidates: K of them.
        fixed: the AUROC of each, if it is trained in every fold.
        choice: the AUROC of what each fold chose.
        default: the candidate that is trained without a choice.
        confidence: of the intervals.

    Returns:
        The block `selection` of metrics.json; None with one candidate. `over_default` is None if
        the default is not among the candidates. `regret` has no interval: the best candidate was
        picked by the same cases, so that resamples of these would be biased too.
    """
    if len(candidates) < 2:
        return None
    named = over_default = None
    for candidate, areas in zip(candidates, fixed, strict=True):
        if default and candidate.is_like(default):
            named = candidate.named()
            over_default = (choice - areas).gain(confidence)
    values = [areas.value for areas in fixed]
    best = int(np.nanargmax(values)) if not np.isnan(values).all() else 0
    return {
        "default": named,
        "over_default": over_default,
        "best": candidates[best].named(),
        "regret": values[best] - choice.value,
    }


def selection_lines(block: Mapping) -> Iterator[str]:
    """Yield the printed lines on what was chosen, how often, and what it cost; or none.

    Args:
        block: the cross-validation of metrics.json.
    """
    selection = block["selection"]
    if selection is None:
        return
    fits = counted(len(block["choices"]), "fold")
    often = sorted(block["candidates"], key=lambda row: -row["chosen"])
    texts = [f"{candidate_name(row)} in {row['chosen']}" for row in often if row["chosen"]]
    yield f"Chosen within {fits}: {', '.join(texts)}"
    if selection["default"]:
        gain = signed_estimate(selection["over_default"])
        yield f"The choice over the default, {candidate_name(selection['default'])}: {gain}"
    if selection["regret"] is not None:
        yield (
            f"The best candidate in hindsight, {candidate_name(selection['best'])}, has an AUROC "
            f"{selection['regret']:+.3f} from that of the choice: what the choice missed, and what "
            "chance added to the best of these tests"
        )
