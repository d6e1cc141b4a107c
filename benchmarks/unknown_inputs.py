"""Inputs that a model for lesions of the phantom's liver was not trained for, as patches.

Real ones need the folder of the real data. They keep the voxels of their own patches.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.adrenal import FINE
from benchmarks.lidc import read_nodules
from graft.common.seeds import generator
from graft.config.parameters import Parameters
from graft.explain.corruptions import corrupt_images, corruption_sweep
from graft.ingest.read import read_raw_domain
from graft.phantom.cohort import write_cohort

MOST = 200  # inputs of each kind
MR_PATIENTS = 30
MR_WINDOW = [1.0, 99.9]  # percentiles of each scan, as in examples/ct-to-mr
PICTURES = Path("liver_us/images")


def corrupted(images: np.ndarray, spacing: list[float]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each corruption of graft.explain.corruptions with the images after it."""
    for corruption in corruption_sweep(3, spacing):
        name = f"{corruption.name} {corruption.amount:g} {corruption.unit}"
        yield name, corrupt_images(corruption, images, spacing, generator(0, "unknown", name))


def magnetic_resonance(parameters: Parameters) -> np.ndarray:
    """Patches (N, 1, *patch) of T2-weighted livers of the phantom, in a window of their own."""
    settings = replace_window(parameters)
    with TemporaryDirectory(prefix="graft-") as folder:
        raw = Path(folder) / "raw"
        write_cohort(raw, "liver_mr", MR_PATIENTS, seed=1)
        domain = read_raw_domain(
            "liver_mr", settings, parameters.preprocess, parameters.privacy, raw, synthetic=True
        )
    return domain.images


def replace_window(parameters: Parameters) -> object:
    """The settings of the target with the window of MR."""
    target = parameters.domains[parameters.target]
    return target.model_copy(update={"window": MR_WINDOW, "intensity": "percentile"})


def real(data: Path, side: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield real inputs by name, as patches (N, 1, side, side, side) in [0, 1]."""
    nodules = read_nodules(data).volumes[:MOST]
    yield "real lung nodules (CT)", _middle(nodules / 255, side)
    with np.load(data / FINE, allow_pickle=False) as arrays:
        glands = arrays["test_images"][:MOST]
    yield "real adrenal glands (shapes)", _middle(glands / 255, side)
    slices = []
    for path in sorted((data / PICTURES).glob("*.jpg")):
        pixels = np.asarray(Image.open(path).convert("L").resize((side, side))) / 255
        slices.append(np.repeat(pixels[:, :, None], side, 2))
    yield "real sonograms, as slices", np.array(slices)[:, None].astype(np.float32)


def _middle(volumes: np.ndarray, side: int) -> np.ndarray:
    start = (volumes.shape[1] - side) // 2
    middle = slice(start, start + side)
    return volumes[:, None, middle, middle, middle].astype(np.float32)
