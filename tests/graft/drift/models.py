"""A model folder that has what drift is compared with, and files of predictions."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from graft.common.files import write_json
from graft.common.seeds import generator
from graft.prediction.identity import model_digest
from tests.trained import fitted_values

NAMES = ("intensity_mean", "intensity_sd", "spacing_mm", "probability")


def write_model(folder: Path, reference: dict[str, list[float]]) -> str:
    """Write a model folder with a reference; returns the SHA-256 of the model."""
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "card.json").write_text("{}")
    (folder / "README.md").write_text("A model for tests.")
    fitted = fitted_values()
    familiar = replace(fitted.familiar, reference=reference)
    replace(fitted, familiar=familiar).write(folder)
    return model_digest(folder)


def draw(count: int, shift: float = 0.0) -> dict[str, list[float]]:
    """Draw values of each measurement from the same distributions, or from shifted ones."""
    random = generator(count, "drift", str(shift))
    return {name: (random.normal(size=count) + shift).tolist() for name in NAMES}


def write_night(path: Path, model: str, values: dict[str, list[float]]) -> None:
    """Write predictions.json of scans with one lesion each."""
    rows = []
    for number, row in enumerate(np.array([values[name] for name in NAMES]).T.tolist()):
        found = dict(zip(NAMES, row, strict=True))
        disease = 1 / (1 + np.exp(-found.pop("probability")))
        rows.append(
            {
                "scan": f"{number}.nii.gz",
                "line": number + 2,
                "row": None,
                "lesion": {"x": 0.0, "y": 0.0, "z": 0.0, "frame": "ras"},
                "calibrated": {"benign": 1 - disease, "malignant": disease},
                "refused": [],
                "measurements": {**found, "feature_distance": None},
                "model": model,
            }
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"predictions": rows, "failures": []})
