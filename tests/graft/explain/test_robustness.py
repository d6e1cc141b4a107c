import numpy as np
import pandas as pd
import pytest

from graft.data.domain import Domain
from graft.explain.robustness import measure_robustness, robustness_curves, summarise_robustness

CLASSES = ["benign", "malignant"]


class Brightness:
    """A model whose probability of the disease is the mean of the middle of the patch."""

    card = {"shares": [1.0]}

    def predict(self, images, covariates):
        middle = images[:, 0, 3:5, 3:5].reshape(len(images), -1)
        disease = middle.mean(1).astype(float).clip(0, 1)
        return np.stack([1 - disease, disease], axis=1)


def planted_domain(lesions: int = 80) -> Domain:
    """Make patches whose middle is 0.04 brighter if malignant, with two lesions per patient.

    The difference is clear without noise and hidden by strong noise.
    """
    rng = np.random.default_rng(0)
    labels = np.arange(lesions) % 2
    noise = rng.normal(0, 0.01, (lesions, 1, 8, 8))
    images = 0.4 + 0.04 * labels[:, None, None, None] + noise
    index = pd.DataFrame(
        {
            "patient": [f"p{k // 2}" for k in range(lesions)],
            "label": np.array(CLASSES)[labels],
        }
    )
    return Domain("liver", images.astype(np.float16), index, CLASSES, {"spacing": None})


def measured(positions: np.ndarray, seed: int = 42) -> dict:
    return measure_robustness("planted", Brightness(), planted_domain(), positions, 200, 0.95, seed)


@pytest.fixture(scope="module")
def robustness() -> dict:
    return measured(np.arange(80))


def row_of(robustness: dict, corruption: str, amount: float) -> dict:
    for row in robustness["rows"]:
        if row["corruption"] == corruption and row["amount"] == amount:
            return row
    raise AssertionError(f"no row of {corruption} {amount}")


def test_noise_lowers_the_auroc(robustness):
    clean = robustness["auroc"]["value"]
    assert clean == pytest.approx(1, abs=0.01)
    noisy = row_of(robustness, "noise", 0.2)
    assert noisy["auroc"]["value"] < 0.75
    drop = noisy["drop"]
    assert drop["low"] > 0
    assert drop["p"] < 0.05
    assert drop["value"] == pytest.approx(clean - noisy["auroc"]["value"])


def test_a_shift_keeps_the_order_of_the_cases_and_so_the_auroc(robustness):
    shifted = row_of(robustness, "window shift up", 0.1)
    assert shifted["drop"] == {"value": 0, "low": 0, "high": 0, "p": 1, "left_out": 0}


def test_each_row_has_a_unit(robustness):
    units = {row["unit"] for row in robustness["rows"]}
    assert units == {"of the window", "voxels"}


def test_the_summary_names_the_most_harmful_corruption(robustness):
    worst = max(robustness["rows"], key=lambda row: row["drop"]["value"])
    assert worst["corruption"] == "noise"
    start = f"planted: among the corruptions, noise of {worst['amount']} of the window costs most: "
    assert summarise_robustness(robustness)[0].startswith(f"{start}AUROC 1.000 falls to ")


def test_the_seed_determines_the_noise(robustness):
    again = measured(np.arange(80), seed=42)
    assert again == robustness
    other = measured(np.arange(80), seed=43)
    assert other != robustness


def test_each_curve_begins_with_the_clean_images(robustness):
    table = robustness_curves(robustness)
    assert list(table.columns) == ["corruption", "unit", "amount", "auroc", "low", "high"]
    assert len(table) == 16
    first_amounts = table.groupby("corruption")["amount"].first()
    assert (first_amounts == 0).all()
    clean = table[table["amount"] == 0]
    assert (clean["auroc"] == robustness["auroc"]["value"]).all()


def test_lesions_of_one_class_have_no_auroc_and_no_summary():
    benign = np.arange(0, 80, 2)
    found = measured(benign)
    assert found["auroc"]["value"] is None
    assert found["rows"][0]["drop"]["p"] is None
    assert summarise_robustness(found) == []
