"""The ranking of sources agrees or disagrees with AUROC after transfer."""

import pytest

from graft.evaluation.ranking_outcome import compare_ranking


def ranking(**scores: float) -> dict:
    """A ranking from LogME by source; the pretrained source is the lung."""
    rows = [{"source": name, "logme": logme} for name, logme in scores.items()]
    return {"distances": [{"source": "lung"}], "ranking": rows}


TWO_SOURCES = ranking(lung=-0.5, random=-0.7)


def auroc(value: float | None) -> dict:
    return {"auroc": {"value": value}}


def models(transfer: float | None, scratch: float | None) -> dict:
    """The AUROC of both models on the test part. Scratch starts from random weights."""
    return {"transfer": {"test": auroc(transfer)}, "scratch": {"test": auroc(scratch)}}


def outcomes(**aurocs: float) -> list[dict]:
    return [{"source": name, "auroc": value} for name, value in aurocs.items()]


def test_the_ranking_of_two_sources_is_right_or_wrong():
    found = compare_ranking(TWO_SOURCES, models(transfer=0.8, scratch=0.6))
    assert found == {
        "by": "AUROC, test",
        "outcomes": outcomes(lung=0.8, random=0.6),
        "logme_tau": 1.0,
    }
    opposite = compare_ranking(TWO_SOURCES, models(transfer=0.6, scratch=0.8))
    assert opposite["logme_tau"] == -1


def test_the_mean_of_several_trainings_is_preferred_to_one_training():
    arms = {"scratch": auroc(0.7), "l2-sp": auroc(0.9), "delta": auroc(0.65)}
    curve = {"strategy": "delta", "draws": 5, "points": [{"share": 1.0, "arms": arms}]}
    once = models(transfer=0.8, scratch=0.6)
    found = compare_ranking(TWO_SOURCES, once, curve)
    assert found["by"] == "AUROC, test, mean of several trainings"
    assert found["logme_tau"] == -1
    assert found["outcomes"] == outcomes(random=0.7, lung=0.65)
    one_draw = compare_ranking(TWO_SOURCES, once, curve | {"draws": 1})
    assert one_draw["logme_tau"] == 1


def test_equal_outcomes_have_no_tau():
    found = compare_ranking(TWO_SOURCES, models(transfer=0.7, scratch=0.7))
    assert found["logme_tau"] is None


def test_missing_outcomes_have_no_tau():
    found = compare_ranking(TWO_SOURCES, models(transfer=None, scratch=0.7))
    assert found["outcomes"] == outcomes(random=0.7)
    assert found["logme_tau"] is None


def candidate(source: str, validation_log_loss: float, auroc: float) -> dict:
    return {
        "source": source,
        "lambda": 0,
        "validation_log_loss": validation_log_loss,
        "auroc": {"value": auroc},
    }


LUNG_CANDIDATES = [candidate("lung", 0.70, 0.75), candidate("lung", 0.60, 0.72)]
OTHER_CANDIDATES = [candidate("kidney", 0.65, 0.80), candidate("spleen", 0.65, 0.55)]
SCRATCH_ONLY = {"scratch": auroc(0.60)}


def test_each_source_of_a_cross_validation_counts_with_its_best_lambda():
    sources = ranking(
        lung=-0.5,
        kidney=-0.6,
        random=-0.7,
        spleen=-0.9,
    )
    block = {"candidates": LUNG_CANDIDATES + OTHER_CANDIDATES, "models": SCRATCH_ONLY}
    found = compare_ranking(sources, models(0.1, 0.2), None, block)
    assert found["by"] == "AUROC, cross-validation"
    expected = outcomes(kidney=0.80, lung=0.72, random=0.60, spleen=0.55)
    assert found["outcomes"] == expected
    # LogME orders lung, kidney, random, spleen: one of six pairs is wrong, τ = (5 - 1) / 6.
    assert found["logme_tau"] == pytest.approx(2 / 3)


def test_a_cross_validation_of_one_source_is_not_used():
    sources = ranking(
        lung=-0.5,
        kidney=-0.6,
        random=-0.7,
        spleen=-0.9,
    )
    block = {"candidates": LUNG_CANDIDATES, "models": SCRATCH_ONLY}
    found = compare_ranking(sources, models(0.8, 0.6), None, block)
    assert found["by"] == "AUROC, test"
