"""The ranking of sources agrees or disagrees with AUROC after transfer."""

import pytest

from graft.evaluation.ranking_outcome import compare_ranking


def ranking(**scores: tuple[float, float]) -> dict:
    rows = [{"source": name, "logme": logme, "h_score": h} for name, (logme, h) in scores.items()]
    return {"distances": [{"source": "lung"}], "ranking": rows}


def models(transfer: float | None, scratch: float | None) -> dict:
    aurocs = {"transfer": transfer, "scratch": scratch}
    return {name: {"test": {"auroc": {"value": value}}} for name, value in aurocs.items()}


def test_two_sources_rank_right_or_wrong():
    sources = ranking(lung=(-0.5, 0.2), random=(-0.7, 0.3))
    found = compare_ranking(sources, models(0.8, 0.6))
    assert found == {
        "by": "AUROC, test",
        "outcomes": [{"source": "lung", "auroc": 0.8}, {"source": "random", "auroc": 0.6}],
        "logme_tau": 1.0,
        "h_score_tau": -1.0,
    }
    assert compare_ranking(sources, models(0.6, 0.8))["logme_tau"] == -1


def test_several_trainings_count_before_one():
    sources = ranking(lung=(-0.5, 0.2), random=(-0.7, 0.3))
    arms = {"scratch": {"auroc": {"value": 0.7}}, "transfer": {"auroc": {"value": 0.65}}}
    curve = {"draws": 5, "points": [{"share": 1.0, "arms": arms}]}
    found = compare_ranking(sources, models(0.8, 0.6), curve)
    assert found["by"] == "AUROC, test, mean of several trainings" and found["logme_tau"] == -1
    assert found["outcomes"] == [
        {"source": "random", "auroc": 0.7},
        {"source": "lung", "auroc": 0.65},
    ]
    assert compare_ranking(sources, models(0.8, 0.6), curve | {"draws": 1})["logme_tau"] == 1


def test_equal_or_missing_outcomes_have_no_tau():
    sources = ranking(lung=(-0.5, 0.2), random=(-0.7, 0.3))
    assert compare_ranking(sources, models(0.7, 0.7))["logme_tau"] is None
    missing = compare_ranking(sources, models(None, 0.7))
    assert (
        missing["outcomes"] == [{"source": "random", "auroc": 0.7}]
        and missing["h_score_tau"] is None
    )


def test_several_sources_of_a_cross_validation_count_at_their_best_lambda():
    sources = ranking(lung=(-0.5, 0.4), kidney=(-0.6, 0.1), random=(-0.7, 0.2), spleen=(-0.9, 0.3))
    rows = [
        ("lung", 0.70, 0.75),
        ("lung", 0.60, 0.72),
        ("kidney", 0.65, 0.80),
        ("spleen", 0.65, 0.55),
    ]
    block = {
        "candidates": [
            {"source": s, "lambda": 0, "validation_log_loss": v, "auroc": a} for s, v, a in rows
        ],
        "models": {"scratch": {"auroc": {"value": 0.60}}},
    }
    found = compare_ranking(sources, models(0.1, 0.2), None, block)
    assert found["by"] == "AUROC, cross-validation"
    assert [(row["source"], row["auroc"]) for row in found["outcomes"]] == [
        ("kidney", 0.80),
        ("lung", 0.72),
        ("random", 0.60),
        ("spleen", 0.55),
    ]
    # LogME orders lung, kidney, random, spleen: one of six pairs is wrong, τ = (5 − 1) / 6.
    assert found["logme_tau"] == pytest.approx(2 / 3) and found["h_score_tau"] == pytest.approx(
        -2 / 6
    )
    alone = block | {"candidates": block["candidates"][:2]}
    assert compare_ranking(sources, models(0.8, 0.6), None, alone)["by"] == "AUROC, test"
