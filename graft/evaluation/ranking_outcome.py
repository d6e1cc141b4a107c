"""The comparison of the ranking of sources with what the transferred models scored afterwards."""

from collections.abc import Mapping, Sequence

import numpy as np

from graft.common.vocabulary import RANDOM, REFERENCE
from graft.statistics.verdict import point_with_all_labels

Outcomes = Mapping[str, float | None]  # AUROC by source


def compare_ranking(
    sources: Mapping,
    models: Mapping,
    learning_curve: Mapping | None = None,
    cross_validation: Mapping | None = None,
) -> dict:
    """Compare the ranking of sources with AUROC after transfer.

    Cross-validation is used if it tried several sources. Otherwise, there is one outcome of
    transfer: from the learning curve if it trained several times on all labels, else from `models`.

    Args:
        sources: the content of sources.json. The pipeline transferred from the first source of
            its `distances`.
        models: the models of metrics.json, of which `transfer` and `scratch` are read.
        learning_curve: that block of metrics.json.
        cross_validation: that block of metrics.json.

    Returns:
        `by` describes how the outcomes were measured. `outcomes` has the AUROC by source, best
        first, with the network from scratch as `random`. `logme_tau` is Kendall's τ-b of the
        outcomes with the ranking. It is None unless two outcomes differ.
    """
    if cross_validation and _sources_tried(cross_validation) > 1:
        by = "AUROC, cross-validation"
        outcomes = _outcomes_of_folds(cross_validation)
    elif learning_curve and (repeated := point_with_all_labels(learning_curve)):
        by = "AUROC, test, mean of several trainings"
        arms = repeated["arms"]
        outcomes = _outcomes_of_pair(arms[learning_curve["strategy"]], arms[REFERENCE], sources)
    else:
        by = "AUROC, test"
        outcomes = _outcomes_of_pair(models["transfer"]["test"], models[REFERENCE]["test"], sources)
    known = {source: auroc for source, auroc in outcomes.items() if auroc is not None}
    rows = [row for row in sources["ranking"] if row["source"] in known]
    rows.sort(key=lambda row: -known[row["source"]])
    aurocs = [known[row["source"]] for row in rows]
    return {
        "by": by,
        "outcomes": [{"source": row["source"], "auroc": known[row["source"]]} for row in rows],
        "logme_tau": _kendall([row["logme"] for row in rows], aurocs),
    }


def _sources_tried(cross_validation: Mapping) -> int:
    return len({row["source"] for row in cross_validation["candidates"]})


def _outcomes_of_folds(cross_validation: Mapping) -> Outcomes:
    """Return AUROC by source, with the strategy and λ of the lowest validation log loss."""
    scratch = cross_validation["models"][REFERENCE]["auroc"]["value"]
    worst_first = sorted(
        cross_validation["candidates"], key=lambda row: -row["validation_log_loss"]
    )
    best = {}
    for row in worst_first:  # the last of each source stays
        best[row["source"]] = row["auroc"]["value"]
    return {**best, RANDOM: scratch}


def _outcomes_of_pair(transfer: Mapping, scratch: Mapping, sources: Mapping) -> Outcomes:
    transferred = sources["distances"][0]["source"]
    return {transferred: transfer["auroc"]["value"], RANDOM: scratch["auroc"]["value"]}


def _kendall(scores: Sequence[float], outcomes: Sequence[float]) -> float | None:
    from scipy.stats import kendalltau

    if len(scores) < 2:
        return None
    tau = kendalltau(scores, outcomes).statistic
    return None if np.isnan(tau) else float(tau)
