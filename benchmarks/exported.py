"""The latency of an exported model in ONNX Runtime, beside the model itself.

    python -m benchmarks.exported

Exports the default network and a bagging of five of them, with fresh weights, as ONNX and as a
program of `torch.export`. Then it times a batch of one patch of 32³ voxels in each, with one
thread. Takes about a minute.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from benchmarks.comparison import Comparison, report
from benchmarks.timing import median_seconds
from graft.common.seeds import generator
from graft.console import run
from graft.export.export import export_model
from graft.networks.build import build_network
from graft.networks.saved import Model

PATCH = [32, 32, 32]
MEMBERS = (1, 5)
REPEATS = 50
MS = 1000  # in a second


def main() -> None:
    """Time one network, and an ensemble."""
    torch.set_num_threads(1)
    for members in MEMBERS:
        with tempfile.TemporaryDirectory(prefix="graft-") as folder:
            measure(Path(folder), make_model(members))


def make_model(members: int) -> Model:
    """A model with fresh weights."""
    architecture = {"name": "resnet", "patch": PATCH, "channels": 1, "classes": 2, "width": 8}
    networks = [build_network(**architecture, seed=seed).eval() for seed in range(members)]
    card = {
        "architecture": architecture,
        "classes": ["benign", "malignant"],
        "shares": [1 / members] * members,
    }
    return Model(card, networks)


def measure(folder: Path, model: Model) -> None:
    """Export a model, and time one patch in each of its forms."""
    largest = export_model(folder / "model.onnx", "onnx", model, None, "")
    export_model(folder / "model.pt2", "pt2", model, None, "")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "model.onnx", options)
    program = torch.export.load(folder / "model.pt2").module()
    patch = generator(0, "exported").random((1, 1, *PATCH), dtype=np.float32)
    tensor = torch.from_numpy(patch)
    in_onnx = MS * median_seconds(lambda: session.run(None, {"image": patch}), REPEATS)
    with torch.no_grad():
        in_program = MS * median_seconds(lambda: program(image=tensor), REPEATS)
    in_model = MS * median_seconds(lambda: model.predict(patch), REPEATS)
    members = len(model.networks)
    what = f"one patch of 32³, networks: {members}, in ONNX Runtime"
    note = f"threads: 1; probabilities differ by at most {largest:.1g}"
    report(Comparison(what, "ms", in_onnx, "Model.predict", in_model, note=note))
    report(Comparison(what, "ms", in_onnx, "program of torch.export", in_program, note=note))


if __name__ == "__main__":
    run(main)
