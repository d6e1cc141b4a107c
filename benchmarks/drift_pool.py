"""Lesions of patients whom a finished run has not seen, measured as they are and after changes."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.unseen import read_run, unseen_folder
from graft.common.seeds import derive, generator
from graft.data.domain import Domain
from graft.explain.corruptions import Corruption, corrupt_images
from graft.familiarity.measurements import Measurements, measure, model_features
from graft.networks.saved import Model, load_model
from graft.phantom.cohort import draw_patient, manifest_rows
from stages import paths

PATIENTS = 900
SAME = "none"
SITE = "another site"
CASE_MIX = "mostly malignant"
CORRUPTIONS = {
    "noise, 2 % of the window": Corruption("noise", 0.02, ""),
    "noise, 5 % of the window": Corruption("noise", 0.05, ""),
    "window up by 5 %": Corruption("window shift up", 0.05, ""),
    "window up by 10 %": Corruption("window shift up", 0.10, ""),
    "window down by 10 %": Corruption("window shift down", 0.10, ""),
    "blur of 1 mm": Corruption("blur", 1.0, "mm"),
    "slices of 3 mm": Corruption("slice thickness", 3.0, "mm"),
}


@dataclass(frozen=True)
class Inputs:
    """N lesions as a model sees them: what is measured of them, and P(disease), (N,)."""

    measured: Measurements
    probability: np.ndarray


@dataclass(frozen=True)
class Pool:
    """Lesions to draw nights from.

    Attributes:
        patients: (N,) a number for each patient.
        is_malignant: (N,).
        is_external: (N,) whether a lesion is from the other site.
        changed: the lesions by the change of their images, SAME for none.
    """

    patients: np.ndarray
    is_malignant: np.ndarray
    is_external: np.ndarray
    changed: Mapping[str, Inputs]


@cache
def read_pool(run: Path, workdir: Path) -> Pool:
    """Generate the patients, change their images, and measure them; or read this from workdir."""
    kept = workdir / "drift_pool.pickle"  # a cache of this benchmark, which only it reads
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    parameters = read_run(run)
    settings = parameters.domains[parameters.target]
    organ = Path(settings.path).name
    domain = Domain.read(unseen_folder(parameters, PATIENTS, workdir))
    spacings = scan_spacings(derive(parameters.seed, "unseen", organ), organ)
    model = load_model(run / paths.BEST)
    changed = {SAME: measure_inputs(model, domain, None, spacings)}
    for name, corruption in CORRUPTIONS.items():
        changed[name] = measure_inputs(model, domain, corruption, spacings)
    pool = Pool(
        pd.factorize(domain.index["patient"])[0],
        (domain.index["label"] == domain.classes[-1]).to_numpy(),
        (domain.index["site"] == settings.split.external).to_numpy(),
        changed,
    )
    kept.write_bytes(pickle.dumps(pool))
    return pool


def scan_spacings(seed: int, organ: str) -> np.ndarray:
    """Return mm per voxel of the scans, (N, 3), a row for each lesion of the cohort."""
    spacings = []
    for number in range(1, PATIENTS + 1):
        patient = draw_patient(seed, organ, number)
        spacings += [patient.scan.spacing] * len(manifest_rows(patient))
    return np.array(spacings)


def measure_inputs(
    model: Model, domain: Domain, corruption: Corruption | None, spacings: np.ndarray
) -> Inputs:
    """Measure the lesions of a domain after a change, and predict them."""
    images = np.array(domain.images)
    if corruption:
        spacing = domain.preprocessing["spacing"]
        random = generator(0, "drift", corruption.name)
        images = corrupt_images(corruption, images, spacing, random).astype(np.float16)
        if corruption.name == "slice thickness":
            spacings = np.maximum(spacings, corruption.amount)
    measured = measure(images, spacings, model_features(model, images))
    return Inputs(measured, model.predict(images)[:, -1])
