import numpy as np
import pandas as pd
import pytest

from graft.common.seeds import generator
from graft.data.domain import Domain
from graft.explain import pointing
from graft.explain.pointing import (
    PointingScores,
    hit_tolerance,
    mean_scores,
    score_maps,
    score_models,
    summarise_scores,
)
from graft.explain.saliency import METHODS, SaliencyMaps
from graft.networks.build import build_network
from graft.networks.saved import Model

# One lesion: two voxels of a patch of (2, 4).
REGION = np.array(
    [
        [
            [1, 1, 0, 0],
            [0, 0, 0, 0],
        ]
    ],
    dtype=bool,
)


def one_sided_maps(*values: list, step: int = 1) -> SaliencyMaps:
    signed = np.array(values, np.float32)  # (lesions, *patch)
    dimensions = signed.ndim - 1
    return SaliencyMaps(signed, (step,) * dimensions, one_sided=True)


def test_share_and_pointing_game_by_hand():
    inside = [[3, 1, 2, 0], [0, -5, 0, 2]]
    found = score_maps(one_sided_maps(inside), REGION)
    # Values below 0 are no saliency, so 3 + 1 = 4 of 8 lies in the region.
    assert found.share.tolist() == [0.5]
    # The maximum, 3, lies in the region.
    assert found.hit.tolist() == [1]
    # Half a step of 1 is rounded up to a voxel: columns 0 to 2 of both rows count as hits.
    assert found.by_chance.tolist() == [6 / 8]


def test_a_maximum_far_from_the_region_is_no_hit():
    outside = [[3, 1, 2, 0], [0, 0, 0, 4]]
    found = score_maps(one_sided_maps(outside), REGION)
    assert found.share.tolist() == [0.4]
    assert found.hit.tolist() == [0]


def test_a_maximum_may_lie_half_a_step_beside_the_region():
    assert hit_tolerance((1, 3, 8)) == [1, 2, 4]
    # The maximum lies two columns beside the region.
    beside = [[0, 0, 0, 4], [0, 0, 0, 0]]
    step_of_2 = score_maps(one_sided_maps(beside, step=2), REGION)
    assert step_of_2.hit.tolist() == [0]
    step_of_3 = score_maps(one_sided_maps(beside, step=3), REGION)
    assert step_of_3.hit.tolist() == [1]
    assert step_of_3.by_chance.tolist() == [1]


def test_a_constant_map_has_the_share_of_the_region():
    constant = np.ones((2, 4))
    found = score_maps(one_sided_maps(constant), REGION)
    assert found.share.tolist() == [REGION.mean()]


def test_an_empty_map_and_an_empty_region_have_no_score():
    empty_map = np.zeros((2, 4))
    constant = np.ones((2, 4))
    empty_region = np.zeros_like(REGION)
    regions = np.concatenate([REGION, empty_region])
    found = score_maps(one_sided_maps(empty_map, constant), regions)
    assert np.isnan(found.share).all()
    assert np.isnan(found.hit).all()
    assert found.by_chance[0] == 6 / 8
    assert np.isnan(found.by_chance[1])


def test_the_mean_is_over_the_models_that_have_a_map():
    by_chance = np.array([0.5, 0.5])
    nothing = np.full(2, np.nan)
    one = PointingScores(np.array([0.2, np.nan]), np.array([1.0, np.nan]), by_chance)
    other = PointingScores(np.array([0.4, np.nan]), np.array([0.0, np.nan]), by_chance)
    without_maps = PointingScores(nothing, nothing, nothing)
    found = mean_scores([one, other])
    assert np.allclose(found.share, [0.3, np.nan], equal_nan=True)
    assert found.hit[0] == 0.5
    assert mean_scores([one, without_maps]).share[0] == 0.2


def scores_of(share: np.ndarray) -> PointingScores:
    hit = (share > 0.4).astype(float)
    by_chance = np.full(len(share), 0.3)
    return PointingScores(share, hit, by_chance)


def summary(found: np.ndarray, random: np.ndarray, lesions_per_patient: int = 1) -> dict:
    """Summarise the shares of a model beside those of networks with random weights."""
    patients = pd.Series([f"p{i // lesions_per_patient}" for i in range(len(found))])
    draws = generator(0, "test")
    return summarise_scores(scores_of(found), scores_of(random), patients, 500, 0.95, draws)


def test_a_model_that_points_better_than_random_weights_does_not_keep_its_maps():
    rng = np.random.default_rng(0)
    better = rng.uniform(0.3, 0.7, 40)
    random = rng.uniform(0.1, 0.3, 40)
    found = summary(better, random)
    assert found["keeps"] is False
    assert found["lesions"] == 40
    share = found["share"]
    assert share["value"] == pytest.approx(better.mean())
    assert share["low"] < better.mean() < share["high"]
    difference = (better - random).mean()
    assert found["difference"]["value"] == pytest.approx(difference)


def test_a_model_that_points_no_better_than_random_weights_keeps_its_maps():
    rng = np.random.default_rng(0)
    better = rng.uniform(0.3, 0.7, 40)
    random = rng.uniform(0.1, 0.3, 40)
    assert summary(random, random)["keeps"] is True
    assert summary(random, better)["keeps"] is True


def test_the_bootstrap_draws_patients_and_not_lesions():
    shares = np.random.default_rng(0).uniform(0, 1, 10).repeat(8)
    by_patient = summary(shares, shares, lesions_per_patient=8)["share"]
    by_lesion = summary(shares, shares)["share"]
    width_by_patient = by_patient["high"] - by_patient["low"]
    width_by_lesion = by_lesion["high"] - by_lesion["low"]
    assert width_by_patient > 2 * width_by_lesion


def test_lesions_without_a_map_are_left_out():
    shares = np.array([0.4, np.nan, 0.2, np.nan])
    random = np.array([0.1, 0.9, 0.2, 0.9])
    found = summary(shares, random)
    assert found["lesions"] == 2
    # Lesions 0 and 2: the means are (0.4 + 0.2) / 2 and (0.1 + 0.2) / 2.
    assert found["share"]["value"] == pytest.approx(0.3)
    assert found["randomised"]["share"]["value"] == pytest.approx(0.15)
    assert found["difference"]["value"] == found["randomised"]["share"]["value"]


def test_without_any_map_there_is_no_verdict():
    found = summary(np.full(4, np.nan), np.zeros(4))
    assert found["keeps"] is None
    assert np.isnan(found["share"]["value"])


def test_the_size_of_the_batches_changes_nothing(monkeypatch):
    shape = {"name": "resnet", "patch": [16, 16], "channels": 1, "classes": 2, "width": 8}
    card = {"architecture": shape, "shares": [1.0]}
    models = []
    for seed in range(2):
        network = build_network(**shape, seed=seed).eval()
        models.append(Model(card, [network]))
    images = np.random.default_rng(0).random((5, 1, 16, 16)).astype(np.float32)
    index = pd.DataFrame({"sample": range(5)})
    domain = Domain("liver", images, index, ["a", "b"], {})
    regions = np.zeros((5, 16, 16), bool)
    regions[:, 5:9, 5:9] = True

    def score_occlusion():
        method = METHODS["occlusion"]
        return score_models(method, models, domain, np.arange(5), regions, both_sides=True)

    whole, tolerance = score_occlusion()
    monkeypatch.setattr(pointing, "BATCH", 2)
    in_batches, _ = score_occlusion()
    assert np.allclose(whole.share, in_batches.share)
    assert np.array_equal(whole.hit, in_batches.hit)
    assert tolerance == [1, 1]
