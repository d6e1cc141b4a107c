"""Models with fresh weights to export, and what was fitted with them."""

import torch

from graft.networks.build import build_network
from graft.networks.saved import Model

WINDOW = {"spacing": [1.0, 1.0, 1.0], "window": [160.0, 0.0], "intensity": "window"}
COLUMNS = [
    {"name": "age", "kind": "number", "mean": 60.0, "std": 10.0},
    {"name": "sex", "kind": "category", "categories": ["f", "m"]},
    {"name": "note", "kind": "text"},
]
ENCODED = 2 + 3 + 65
TEMPERATURE = 1.7


def make_model(
    name: str = "resnet",
    patch: tuple[int, ...] = (8, 8),
    members: int = 1,
    channels: int = 1,
    columns: tuple = (),
    classes: tuple = ("benign", "malignant"),
    **card: object,
) -> Model:
    """A model with fresh weights, whose head is not that of a fresh network."""
    covariates = ENCODED if columns else 0
    architecture = {
        "name": name,
        "patch": list(patch),
        "channels": channels,
        "classes": len(classes),
        "width": 8,
        "covariates": covariates,
    }
    networks = [build_network(**architecture, seed=seed).eval() for seed in range(members)]
    draws = torch.Generator().manual_seed(0)
    for network in networks:
        with torch.no_grad():
            network.head.weight.normal_(0, 0.2, generator=draws)
    shares = {1: [1.0], 2: [0.7, 0.3]}[members]
    return Model(
        {
            "architecture": architecture,
            "classes": list(classes),
            "shares": shares,
            "covariates": list(columns),
            "preprocessing": WINDOW,
            **card,
        },
        networks,
    )


class Calibration:
    """What an export reads of what was fitted."""

    temperature = TEMPERATURE
    bias: dict = {}
    intensity = None
    points = {"sensitivity": 0.3}
    quantiles = {"benign": 0.9, "malignant": None}
    licence = "Apache-2.0"
