import numpy as np
import pandas as pd
import pytest

from graft.data.domain import Domain
from graft.explain.robustness import measure_robustness, robustness_curves, summarise_robustness

CLASSES = ["benign", "malignant"]


class Brightness:
    """A model that calls the disease by the mean of the middle of the patch."""

    card = {"shares": [1.0]}

    def predict(self, images, covariates):
        p = images[:, 0, 3:5, 3:5].reshape(len(images), -1).mean(1).astype(float).clip(0, 1)
        return np.stack([1 - p, p], 1)


def domain(lesions: int = 80) -> Domain:
    """Disease is a middle that is 0.04 brighter: clear without noise, lost in much of it."""
    rng, labels = np.random.default_rng(0), np.arange(lesions) % 2
    images = 0.4 + 0.04 * labels[:, None, None, None] + rng.normal(0, 0.01, (lesions, 1, 8, 8))
    index = pd.DataFrame(
        {"patient": [f"p{k // 2}" for k in range(lesions)], "label": np.array(CLASSES)[labels]}
    )
    return Domain("liver", images.astype(np.float16), index, CLASSES, {"spacing": None})


@pytest.fixture(scope="module")
def told() -> dict:
    return measure_robustness("planted", Brightness(), domain(), np.arange(80), 200, 0.95, 42)


def test_noise_lowers_a_planted_score_and_a_shift_leaves_the_order(told):
    rows = {(row["corruption"], row["amount"]): row for row in told["rows"]}
    assert told["auroc"]["value"] == pytest.approx(1, abs=0.01)
    noisy, shifted = rows["noise", 0.2], rows["window shift up", 0.1]
    assert noisy["auroc"]["value"] < 0.75 and noisy["drop"]["low"] > 0 and noisy["drop"]["p"] < 0.05
    assert noisy["drop"]["value"] == pytest.approx(told["auroc"]["value"] - noisy["auroc"]["value"])
    assert shifted["drop"] == {"value": 0, "low": 0, "high": 0, "p": 1, "left_out": 0}
    assert {row["unit"] for row in told["rows"]} == {"of the window", "voxels"}
    said = (
        "planted: among the corruptions, noise of 0.2 of the window costs most: AUROC 1.000 falls"
    )
    assert summarise_robustness(told)[0].startswith(said)


def test_the_same_seed_gives_the_same_numbers_and_another_other_noise(told):
    again = [
        measure_robustness("planted", Brightness(), domain(), np.arange(80), 200, 0.95, seed)
        for seed in (42, 43)
    ]
    assert again[0] == told != again[1]


def test_each_curve_begins_with_the_clean_images(told):
    table = robustness_curves(told)
    assert list(table.columns) == ["corruption", "unit", "amount", "auroc", "low", "high"]
    assert len(table) == 16 and (table.groupby("corruption")["amount"].first() == 0).all()
    assert (table[table["amount"] == 0]["auroc"] == told["auroc"]["value"]).all()


def test_a_part_of_one_class_has_no_auroc_and_no_line():
    told = measure_robustness("planted", Brightness(), domain(), np.arange(0, 80, 2), 200, 0.95, 42)
    assert (
        told["auroc"]["value"] is None
        and told["rows"][0]["drop"]["p"] is None
        and summarise_robustness(told) == []
    )
