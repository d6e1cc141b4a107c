from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from graft.data.domain import Domain
from graft.explain.document import saliency_document, summarise_saliency
from graft.explain.hardest_cases import explain_cases, find_hardest_cases
from graft.networks.build import build_network
from graft.networks.saved import Model

CLASSES = ["benign", "malignant"]
SHAPE = {"name": "resnet", "patch": [12, 12, 12], "channels": 1, "classes": 2, "width": 8}
CARD = {"architecture": SHAPE, "classes": CLASSES, "shares": [1.0]}
VOXELS = 12**3


class Middle(nn.Module):
    """Depends only on the brightness of the middle of the patch."""

    def __init__(self) -> None:
        super().__init__()
        convolution = nn.Conv3d(1, 1, 1)
        nn.init.ones_(convolution.weight)
        nn.init.zeros_(convolution.bias)
        self.body = nn.ModuleDict({"blocks": convolution})
        # Makes a gradient pass through the convolution.
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, x, covariates=None):
        inside = torch.zeros(12, 12, 12)
        inside[4:8, 4:8, 4:8] = 1
        features = self.body["blocks"](x * self.gain)[:, 0]  # (B, 12, 12, 12)
        mean_inside = (features * inside).flatten(1).sum(1) / 64
        logit = 4 * mean_inside - 2
        return torch.stack([-logit, logit], 1)


def planted_domain(**preprocessing) -> Domain:
    """12 lesions of 6 mm in the middle of 12 mm; one in three is much brighter than its patch."""
    images = np.random.default_rng(0).uniform(0, 0.3, (12, 1, 12, 12, 12))
    images[::3, :, 3:9, 3:9, 3:9] += 0.6
    is_bright = np.arange(12) % 3 == 0
    index = pd.DataFrame(
        {
            "patient": [f"p{k // 2}" for k in range(12)],
            "label": np.where(is_bright, "malignant", "benign"),
            "size": 6.0,
        }
    )
    known = {"spacing": [1.0, 1.0, 1.0], "size": "diameter in mm"}
    return Domain("liver", images.astype(np.float16), index, CLASSES, known | preprocessing)


def predictions(*rows: tuple) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["sample", "part", "label", "p_malignant"])
    table["p_benign"] = 1 - table["p_malignant"]
    table["predicted"] = np.where(table["p_malignant"] >= 0.5, "malignant", "benign")
    table["model"] = "bagging"
    return table


TABLE = predictions(
    (4, "external", "benign", 0.99),
    (3, "test", "malignant", 0.3),
    (5, "test", "benign", 0.9),
    (1, "test", "benign", 0.1),
    (0, "test", "malignant", 0.1),
)


def document(model: Model, domain: Domain, cases: int = 2) -> dict:
    hardest = find_hardest_cases(TABLE, "bagging", CLASSES, cases)
    explained = explain_cases(model, domain, hardest)
    positions = np.arange(12)
    return saliency_document("bagging", model, domain, positions, explained, 200, 0.95, 42)


@pytest.fixture(scope="module")
def of_the_middle() -> dict:
    """Document a network that looks at the lesion."""
    return document(Model(CARD, [Middle()]), planted_domain())


@pytest.mark.parametrize("method", ("grad_cam", "occlusion"))
def test_maps_of_a_network_that_looks_at_the_lesion_lie_there(of_the_middle, method):
    assert list(of_the_middle["methods"]) == ["grad_cam", "occlusion"]
    scores = of_the_middle["methods"][method]
    assert scores["lesions"] == 12
    assert scores["sampled"] == 12
    assert scores["keeps"] is False
    assert scores["share"]["value"] > 1.5 * of_the_middle["uniform_share"]
    assert scores["difference"]["low"] > 0


def test_occlusion_points_at_the_lesion_and_with_random_weights_it_does_not(of_the_middle):
    occlusion = of_the_middle["methods"]["occlusion"]
    assert occlusion["pointing_game"]["value"] == 1
    assert occlusion["randomised"]["pointing_game"]["value"] < 1


def test_the_document_describes_the_region_and_the_hardest_cases(of_the_middle):
    assert of_the_middle["region"] == "ball of the diameter"
    # The ball of 6 mm covers 136 voxels.
    assert of_the_middle["uniform_share"] == pytest.approx(136 / VOXELS, abs=1e-6)
    samples = [case["sample"] for case in of_the_middle["cases"]]
    assert samples == [0, 5]
    assert of_the_middle["cases"][0]["occlusion"]["hit"]


def test_the_summary_of_valid_maps_has_no_warning(of_the_middle):
    summary = summarise_saliency(of_the_middle)
    assert summary[1].startswith("occlusion of bagging: 0.")
    assert "not show" not in "".join(summary)


def test_maps_of_an_untrained_network_are_reported_as_uninformative():
    untrained = Model(CARD, [build_network(**SHAPE, seed=3).eval()])
    found = document(untrained, planted_domain())
    assert found["methods"]["occlusion"]["keeps"] is True
    summary = summarise_saliency(found)
    assert summary[1].endswith("so it does not show what was learned")


def test_the_summary_says_that_a_score_of_randomised_weights_is_not_defined(of_the_middle):
    found = deepcopy(of_the_middle)
    found["methods"]["occlusion"]["randomised"]["share"]["value"] = None
    found["methods"]["occlusion"]["keeps"] = None
    assert summarise_saliency(found)[1].endswith("randomised weights: not defined)")


def test_without_a_region_no_map_is_scored_and_the_cases_are_present():
    found = document(Model(CARD, [Middle()]), planted_domain(size="voxels"), cases=1)
    assert found["region"] is None
    assert found["uniform_share"] is None
    assert found["lesions"] == 12
    assert found["methods"] == {"grad_cam": None, "occlusion": None}
    case = found["cases"][0]
    assert case["picture"] == "maps/0.png"
    assert case["grad_cam"] is None
    assert "are unknown, so no map is scored" in summarise_saliency(found)[0]


def test_lesions_without_a_mask_are_left_out():
    masks = np.zeros((12, 12, 12, 12), np.uint8)
    masks[:6, 4:8, 4:8, 4:8] = 1
    domain = replace(planted_domain(), masks=masks)
    found = document(Model(CARD, [Middle()]), domain, cases=0)
    assert found["region"] == "mask"
    assert found["lesions"] == 6
    assert found["methods"]["occlusion"]["lesions"] == 6
    # A mask has 4 · 4 · 4 voxels.
    assert found["uniform_share"] == pytest.approx(64 / VOXELS, abs=1e-6)
    assert found["cases"] == []
