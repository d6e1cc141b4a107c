"""Folders of models that are ready to predict, with fresh weights."""

from pathlib import Path

import numpy as np

from graft.familiarity.familiar import Familiar
from graft.networks.build import build_network
from graft.networks.saved import save_model
from graft.release.fitted import README, Fitted

CLASSES = ("benign", "malignant")
PATCH = (8, 8, 8)
EVERYTHING = {
    "intensity_mean": (0.0, 1.0),
    "spacing_r": (0.1, 10.0),
    "spacing_a": (0.1, 10.0),
    "spacing_s": (0.1, 10.0),
}


def write_trained(
    folder: Path,
    patch: tuple[int, ...] = PATCH,
    channels: int = 1,
    classes: tuple[str, ...] = CLASSES,
    spaced: bool = True,
    window: tuple[float, float] = (0.0, 1.0),
    size: str = "diameter in mm",
    covariates: tuple[dict, ...] = (),
    width: int = 0,
    members: int = 1,
    fitted: Fitted | None = None,
) -> Path:
    """Write a model folder; returns it.

    Args:
        folder: of the model.
        patch: its size in voxels.
        channels: of the images.
        classes: their names.
        spaced: whether the images had a spacing of 1 mm.
        window: of the intensities.
        size: what the size of a lesion measures.
        covariates: as on a card.
        width: the numbers that these become.
        members: networks of the model.
        fitted: with the model; None for an older folder.
    """
    shape = {
        "name": "resnet",
        "patch": list(patch),
        "channels": channels,
        "classes": len(classes),
        "width": 8,
    }
    if width:
        shape["covariates"] = width
    networks = [build_network(**shape, seed=k) for k in range(members)]
    for network in networks:  # a fresh head gives all images nearly the same answer
        network.head.weight.data *= 20
    card = {
        "architecture": shape,
        "classes": list(classes),
        "covariates": list(covariates),
        "preprocessing": {
            "patch": list(patch),
            "spacing": [1.0] * len(patch) if spaced else None,
            "window": list(window),
            "intensity": "window",
            "size": size,
        },
        "shares": [1 / members] * members,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_model(folder, networks, card)
    if fitted is not None:
        (folder / README).write_text("A model of a test.\n")
        fitted.write(folder)
    return folder


def fitted_values(
    classes: tuple[str, ...] = CLASSES,
    temperature: float = 2.0,
    points: dict | None = None,
    quantiles: dict | None = None,
    ranges: dict | None = None,
) -> Fitted:
    """What was fitted with a model; by default every input is familiar."""
    return Fitted(
        name="bagging",
        source="lung",
        target="liver",
        temperature=temperature,
        points={"sensitivity": 0.3, "specificity": 0.7} if points is None else points,
        wanted={"sensitivity": 0.9, "specificity": 0.9},
        miscoverage=0.1,
        quantiles=quantiles or dict.fromkeys(classes, 0.6),
        familiar=Familiar(EVERYTHING if ranges is None else ranges, [], [], {}, ()),
        licence="Apache-2.0",
        provenance={},
    )


def random_scan(size: tuple[int, ...] = (16, 16, 16), seed: int = 0) -> np.ndarray:
    """Voxels in [0, 1], float32."""
    return np.random.default_rng(seed).random(size, np.float32)
