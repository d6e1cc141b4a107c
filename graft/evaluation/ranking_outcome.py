"""Whether the ranking of sources agrees with what the transferred models scored afterwards."""

from collections.abc import Mapping

import numpy as np

from graft.statistics.verdict import all_labels

RANDOM = "random"  # the untrained network's name in the ranking


def came_true(
    sources: Mapping,
    models: Mapping,
    learning_curve: Mapping | None = None,
    cross_validation: Mapping | None = None,
) -> dict:
    """How the ranking of metrics/sources.json agrees with what the transferred models scored afterwards.

    Args:
        sources: that file's content; the first of its `distances` is the source that the pipeline transferred.
        models: the models of metrics.json, of which `transfer` and `scratch` are read.
        learning_curve: that block of metrics.json, which is read in their stead where it trained both several times.
        cross_validation: the block of metrics/cross_validation.json, where there is one. It is read where it has
            several sources: of each the λ with the lowest validation log loss.

    Returns `by` (what the outcomes are), `outcomes` (AUROC by source, of `random` that from scratch; best first) and
    Kendall's τ-b of the outcomes with LogME and with the H-score, None where there are no two outcomes that differ.
    """
    tried = (cross_validation or {}).get("candidates", [])
    if len({row["source"] for row in tried}) > 1:
        by, outcomes = "AUROC, cross-validation", _best_of_each(tried)
        scratch = cross_validation["models"]["scratch"]["auroc"]["value"]
    else:
        repeated, own = all_labels(learning_curve), sources["distances"][0]["source"]
        by = "AUROC, test, mean of several trainings" if repeated else "AUROC, test"
        arms = (
            repeated["arms"]
            if repeated
            else {name: model["test"] for name, model in models.items()}
        )
        transfer, scratch = (arms[name]["auroc"]["value"] for name in ("transfer", "scratch"))
        outcomes = {own: transfer}
    outcomes = {**outcomes, RANDOM: scratch}
    known = [row for row in sources["ranking"] if outcomes.get(row["source"]) is not None]
    known.sort(key=lambda row: -outcomes[row["source"]])
    return {
        "by": by,
        "outcomes": [{"source": row["source"], "auroc": outcomes[row["source"]]} for row in known],
        **{f"{name}_tau": _tau(known, outcomes, name) for name in ("logme", "h_score")},
    }


def _best_of_each(tried: list[Mapping]) -> dict[str, float | None]:
    """AUROC by source, at the λ with the lowest validation log loss."""
    ordered = sorted(tried, key=lambda row: -row["validation_log_loss"])
    return {row["source"]: row["auroc"] for row in ordered}


def _tau(rows: list[Mapping], outcomes: Mapping[str, float], score: str) -> float | None:
    from scipy.stats import kendalltau

    if len(rows) < 2:
        return None
    tau = kendalltau(
        [row[score] for row in rows], [outcomes[row["source"]] for row in rows]
    ).statistic
    return None if np.isnan(tau) else float(tau)
