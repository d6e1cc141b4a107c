"""A project folder with a processed target of tiny images, its split, a model and parameters."""

from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from graft.data.domain import Domain, write_domain
from graft.networks.build import build_network
from graft.networks.saved import save_model
from tests.processed import write_parts

ROOT = Path(__file__).parents[1]
PATCH = [8, 8]
CLASSES = ["benign", "malignant"]
SHAPE = {"name": "resnet", "patch": PATCH, "channels": 1, "classes": 2, "width": 8}


def write_project() -> None:
    """Write params.yaml for short trainings on the CPU, and the target, into this folder."""
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    edit_parameters(finetune={"epochs": 2}, ensemble={"epochs": 2}, training={"device": "cpu"})
    write_target()


def edit_parameters(**sections: dict) -> None:
    """Change some values of params.yaml."""
    yaml = YAML()
    path = Path("params.yaml")
    params = yaml.load(path)
    for name, values in sections.items():
        params[name] |= values
    yaml.dump(params, path)


def write_target(given: str = "", validation: str = "validation") -> None:
    """Write a processed target of 48 patients, brighter if malignant, and its split.

    Args:
        given: whether the raw data has the split, if it is not empty.
        validation: the part of the patients that validate; or "train", so that there are folds.
    """
    label = np.arange(48) % 2
    several = np.array(["train", "train", validation, "test", "test", "external"])
    parts = several[np.arange(48) // 2 % 6]
    images = np.random.default_rng(0).random((48, 1, *PATCH)) / 2
    images[label == 1, :, 2:6, 2:6] += 0.3
    index = pd.DataFrame(
        {
            "sample": np.arange(48),
            "patient": [f"p{i:02}" for i in range(48)],
            "label": np.array(CLASSES)[label],
            "site": "",
            "split": given and parts,
            "origin": "",
            "size": 1.0,
            "hash": [f"{i:016x}" for i in range(48)],
        }
    )
    write_domain(Path("data/processed/liver"), Domain("liver", images, index, CLASSES, {}))
    write_parts("liver", parts)


def write_model(folder: Path, classes: list[str] = CLASSES, seed: int = 7) -> None:
    """Write a model with fresh weights for two classes."""
    folder.mkdir(parents=True, exist_ok=True)
    network = build_network(**SHAPE, seed=seed)
    save_model(folder, [network], {"architecture": SHAPE, "classes": classes})
