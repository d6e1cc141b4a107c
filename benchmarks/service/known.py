"""Requests with known answers: lesions of scans, and what the bare model says of them."""

import json
from dataclasses import dataclass
from pathlib import Path

import httpx
import pandas as pd

from graft.networks.build import build_network
from graft.networks.saved import save_model
from graft.phantom.cohort import write_cohort
from graft.prediction.predictor import Predictor, load

ARCHITECTURE = {"name": "resnet", "patch": [32, 32, 32], "channels": 1, "classes": 2, "width": 8}
CARD = {
    "architecture": ARCHITECTURE,
    "classes": ["benign", "malignant"],
    "preprocessing": {
        "patch": [32, 32, 32],
        "spacing": [1.0, 1.0, 1.0],
        "window": [0.0, 160.0],
        "intensity": "window",
        "size": "diameter in mm",
    },
}


@dataclass(frozen=True)
class Known:
    """A request and its answer.

    Attributes:
        scan: the file.
        position: of the lesion in mm, RAS+.
        answer: the document without `scan` and `map`.
    """

    scan: Path
    position: tuple[float, float, float]
    answer: dict

    @classmethod
    def of(cls, scan: Path, position: tuple[float, float, float], document: dict) -> "Known":
        """A request for a lesion, and the document of its prediction."""
        return cls(scan, position, _without_place(json.loads(json.dumps(document))))

    def send(self, client: httpx.Client) -> httpx.Response:
        """Send the request."""
        x, y, z = self.position
        files = {"scan": (self.scan.name, self.scan.read_bytes())}
        return client.post("/predict", files=files, data={"x": x, "y": y, "z": z})

    def is_answered_by(self, response: httpx.Response) -> bool:
        """Whether a response is the answer to this request, to the last digit."""
        return response.status_code == 200 and _without_place(response.json()) == self.answer


def make_model(folder: Path) -> None:
    """Write a model of the size of the default run with fresh weights."""
    folder.mkdir(parents=True)
    save_model(folder, [build_network(**ARCHITECTURE, seed=0)], CARD)


def make_known(folder: Path, model: Path, patients: int, seed: int) -> list[Known]:
    """Draw scans, and predict for their lesions in this process.

    Args:
        folder: for the scans.
        model: a model folder.
        patients: how many scans are drawn.
        seed: of the draw.
    """
    table = write_cohort(folder, "liver", patients, seed)
    predictor = load(model, "cpu")
    return [_predict(predictor, folder, row) for _, row in table.iterrows()]


def _predict(predictor: Predictor, folder: Path, row: pd.Series) -> Known:
    scan = folder / row["image"]
    position = (float(row["x"]), float(row["y"]), float(row["z"]))
    return Known.of(scan, position, predictor.predict(scan, at=position).document())


def _without_place(document: dict) -> dict:
    return {name: value for name, value in document.items() if name not in ("scan", "map")}
