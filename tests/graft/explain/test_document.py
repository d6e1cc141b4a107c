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


class Middle(nn.Module):
    """Answers to the brightness of the middle of the patch alone."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"blocks": nn.Conv3d(1, 1, 1)})
        nn.init.ones_(self.body["blocks"].weight)
        nn.init.zeros_(self.body["blocks"].bias)
        self.gain = nn.Parameter(
            torch.ones(())
        )  # so that a gradient passes through the convolution

    def forward(self, x, covariates=None):
        inside = torch.zeros(12, 12, 12)
        inside[4:8, 4:8, 4:8] = 1
        said = 4 * (self.body["blocks"](x * self.gain)[:, 0] * inside).flatten(1).sum(1) / 64 - 2
        return torch.stack([-said, said], 1)


def domain(**about) -> Domain:
    """12 lesions of 6 mm in the middle of 12 mm; one in three is much brighter than its patch."""
    images = np.random.default_rng(0).uniform(0, 0.3, (12, 1, 12, 12, 12))
    images[::3, :, 3:9, 3:9, 3:9] += 0.6
    labels = np.array(CLASSES)[(np.arange(12) % 3 == 0).astype(int)]
    index = pd.DataFrame(
        {"patient": [f"p{k // 2}" for k in range(12)], "label": labels, "size": 6.0}
    )
    preprocessing = {"spacing": [1.0, 1.0, 1.0], "size": "diameter in mm"} | about
    return Domain("liver", images.astype(np.float16), index, CLASSES, preprocessing)


def predictions(*rows: tuple) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["sample", "part", "label", "p_malignant"])
    called = np.where(table["p_malignant"] >= 0.5, "malignant", "benign")
    return table.assign(p_benign=1 - table["p_malignant"], predicted=called, model="bagging")


TABLE = predictions(
    (4, "external", "benign", 0.99),
    (3, "test", "malignant", 0.3),
    (5, "test", "benign", 0.9),
    (1, "test", "benign", 0.1),
    (0, "test", "malignant", 0.1),
)


def told(model: Model, made: Domain, cases: int = 2) -> dict:
    shown = explain_cases(model, made, find_hardest_cases(TABLE, "bagging", CLASSES, cases))
    return saliency_document("bagging", model, made, np.arange(12), shown, 200, 0.95, 42)


def test_a_network_that_looks_at_the_lesion_points_there_and_randomised_ones_do_not():
    found = told(Model(CARD, [Middle()]), domain())
    for score in found["methods"].values():
        assert score["lesions"] == score["sampled"] == 12 and score["keeps"] is False
        assert (
            score["share"]["value"] > 1.5 * found["uniform_share"]
            and score["difference"]["low"] > 0
        )
    occlusion = found["methods"]["occlusion"]
    assert (
        occlusion["pointing_game"]["value"] == 1 > occlusion["randomised"]["pointing_game"]["value"]
    )
    assert found["region"] == "ball of the diameter" and found["uniform_share"] == pytest.approx(
        136 / 12**3, abs=1e-6
    )
    assert [case["sample"] for case in found["cases"]] == [0, 5] and found["cases"][0]["occlusion"][
        "hit"
    ]
    assert summarise_saliency(found)[1].startswith(
        "occlusion of bagging: 0."
    ) and "not show" not in "".join(summarise_saliency(found))


def test_a_network_that_learnt_nothing_is_caught():
    nothing = Model(CARD, [build_network(**SHAPE, seed=3).eval()])
    found = told(nothing, domain())
    assert found["methods"]["occlusion"]["keeps"] is True
    assert summarise_saliency(found)[1].endswith("so it does not show what was learned")


def test_without_a_region_no_map_is_scored_and_the_cases_are_there():
    found = told(Model(CARD, [Middle()]), domain(size="voxels"), cases=1)
    assert found["region"] is None and found["uniform_share"] is None and found["lesions"] == 12
    assert found["methods"] == {"grad_cam": None, "occlusion": None}
    assert found["cases"][0]["picture"] == "maps/0.png" and found["cases"][0]["grad_cam"] is None
    assert "are unknown, so no map is scored" in summarise_saliency(found)[0]


def test_lesions_without_a_mask_are_left_out():
    masks = np.zeros((12, 12, 12, 12), np.uint8)
    masks[:6, 4:8, 4:8, 4:8] = 1
    found = told(Model(CARD, [Middle()]), replace(domain(), masks=masks), cases=0)
    assert (
        found["region"] == "mask"
        and found["lesions"] == 6 == found["methods"]["occlusion"]["lesions"]
    )
    assert found["uniform_share"] == pytest.approx(64 / 12**3, abs=1e-6) and found["cases"] == []
