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


def maps(*values: list, step: int = 1) -> SaliencyMaps:
    signed = np.array(values, np.float32)
    return SaliencyMaps(signed, (step,) * (signed.ndim - 1), one_sided=True)


REGION = np.array([[[1, 1, 0, 0], [0, 0, 0, 0]]], bool)


def test_share_and_pointing_game_by_hand():
    found = score_maps(maps([[3, 1, 2, 0], [0, -5, 0, 2]]), REGION)
    assert found.share.tolist() == [0.5] and found.hit.tolist() == [
        1
    ]  # 4 of 8: what is below 0 is no saliency
    assert found.by_chance.tolist() == [6 / 8]  # half a step of 1 is a voxel: columns 0 to 2
    far = score_maps(maps([[3, 1, 2, 0], [0, 0, 0, 4]]), REGION)
    assert far.share.tolist() == [0.4] and far.hit.tolist() == [0]


def test_a_maximum_may_lie_half_a_step_beside_the_region():
    beside = [[0, 0, 0, 4], [0, 0, 0, 0]]
    assert hit_tolerance((1, 3, 8)) == [1, 2, 4]
    assert score_maps(maps(beside, step=2), REGION).hit.tolist() == [0]
    assert score_maps(maps(beside, step=3), REGION).hit.tolist() == [1]
    assert score_maps(maps(beside, step=3), REGION).by_chance.tolist() == [1]


def test_an_even_map_has_the_share_of_the_region():
    assert score_maps(maps(np.ones((2, 4))), REGION).share.tolist() == [REGION.mean()]


def test_a_map_of_nothing_and_a_lesion_without_a_region_have_no_score():
    found = score_maps(
        maps(np.zeros((2, 4)), np.ones((2, 4))), np.concatenate([REGION, REGION & False])
    )
    assert np.isnan(found.share).all() and np.isnan(found.hit).all()
    assert found.by_chance[0] == 6 / 8 and np.isnan(found.by_chance[1])


def test_the_mean_is_over_the_models_that_have_a_map():
    one = PointingScores(np.array([0.2, np.nan]), np.array([1.0, np.nan]), np.array([0.5, 0.5]))
    other = PointingScores(np.array([0.4, np.nan]), np.array([0.0, np.nan]), np.array([0.5, 0.5]))
    found = mean_scores([one, other])
    assert np.allclose(found.share, [0.3, np.nan], equal_nan=True) and found.hit[0] == 0.5
    assert mean_scores([one, PointingScores(*(np.full(2, np.nan),) * 3)]).share[0] == 0.2


def told(found: np.ndarray, random: np.ndarray, lesions: int = 1) -> dict:
    patients = pd.Series([f"p{i // lesions}" for i in range(len(found))])
    made = [
        PointingScores(share, (share > 0.4).astype(float), np.full(len(share), 0.3))
        for share in (found, random)
    ]
    return summarise_scores(*made, patients, 500, 0.95, generator(0, "test"))


def test_a_model_that_points_better_than_chance_weights_does_not_keep():
    rng = np.random.default_rng(0)
    better, random = rng.uniform(0.3, 0.7, 40), rng.uniform(0.1, 0.3, 40)
    said = told(better, random)
    assert said["keeps"] is False and said["lesions"] == 40
    assert said["share"]["value"] == pytest.approx(better.mean())
    assert said["share"]["low"] < better.mean() < said["share"]["high"]
    assert said["difference"]["value"] == pytest.approx((better - random).mean())
    assert told(random, random)["keeps"] is True and told(random, better)["keeps"] is True


def test_patients_are_drawn_and_not_lesions():
    shares = np.repeat(np.random.default_rng(0).uniform(0, 1, 10), 8)
    widths = [
        said["share"]["high"] - said["share"]["low"]
        for said in (told(shares, shares, 8), told(shares, shares))
    ]
    assert widths[0] > 2 * widths[1]


def test_lesions_without_a_map_are_left_out():
    shares = np.array([0.4, np.nan, 0.2, np.nan])
    said = told(shares, np.array([0.1, 0.9, 0.2, 0.9]))
    assert said["lesions"] == 2 and said["share"]["value"] == pytest.approx(0.3)
    assert (
        said["randomised"]["share"]["value"] == said["difference"]["value"] == pytest.approx(0.15)
    )
    nothing = told(np.full(4, np.nan), np.zeros(4))
    assert nothing["keeps"] is None and np.isnan(nothing["share"]["value"])


def test_batches_change_nothing(monkeypatch):
    shape = {"name": "resnet", "patch": [16, 16], "channels": 1, "classes": 2, "width": 8}
    models = [
        Model({"architecture": shape, "shares": [1.0]}, [build_network(**shape, seed=k).eval()])
        for k in range(2)
    ]
    images = np.random.default_rng(0).random((5, 1, 16, 16)).astype(np.float32)
    domain = Domain("liver", images, pd.DataFrame({"sample": range(5)}), ["a", "b"], {})
    regions = np.zeros((5, 16, 16), bool)
    regions[:, 5:9, 5:9] = True
    whole, beside = score_models(
        METHODS["occlusion"], models, domain, np.arange(5), regions, both_sides=True
    )
    monkeypatch.setattr(pointing, "BATCH", 2)
    parts, _ = score_models(
        METHODS["occlusion"], models, domain, np.arange(5), regions, both_sides=True
    )
    assert (
        np.allclose(whole.share, parts.share)
        and np.array_equal(whole.hit, parts.hit)
        and beside == [1, 1]
    )
