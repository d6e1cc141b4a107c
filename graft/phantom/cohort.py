"""A cohort: patients drawn one by one, rendered in parallel, written as one folder."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd

from graft.common.files import whole_folder
from graft.common.seeds import generator
from graft.phantom import ct, mr
from graft.phantom.anatomy import Wall, draw_wall, render_parenchyma, render_vessels, render_wall
from graft.phantom.lesion import Lesion, render_lesion
from graft.phantom.scan import Scan
from graft.phantom.traits import draw_labels, draw_traits

COLUMNS = ("patient", "image", "label", "x", "y", "z", "site", "diameter_mm")
SCANNERS = {
    "lung": ct,
    "liver": ct,
    "liver_mr": mr,
}  # each draws a scan, says what it shows, and acquires it
EDGE_MM = 16.0  # between a lesion's centre and the end of the field of view, at least
GAP_MM = 2.0  # between two lesions, at least
CANDIDATES = 40  # places tried for one lesion


@dataclass(frozen=True)
class Patient:
    """All that is drawn of a patient before a voxel is; `wall` and the lesions lie in RAS+."""

    name: str
    organ: str
    scan: Scan
    wall: Wall
    lesions: tuple[Lesion, ...]


def draw_patient(seed: int, organ: str, number: int) -> Patient:
    """Draw patient `number` of an organ's cohort: the same whoever else is drawn."""
    rng = generator(seed, "phantom", organ, number)
    scan, wall = SCANNERS[organ].draw_scan(rng, organ), draw_wall(rng)
    lesions: list[Lesion] = []
    for label in draw_labels(rng):
        traits = draw_traits(rng, organ, label)
        centre = _place(rng, traits["diameter"] / 2, scan, wall, lesions)
        if centre is not None:
            lesions.append(Lesion(label, centre, traits))
    return Patient(f"{organ}-{number:04d}", organ, scan, wall, tuple(lesions))


def render(patient: Patient, rng: np.random.Generator) -> np.ndarray:
    """The patient's volume, int16 (X, Y, Z): HU, or what an MR scanner gives."""
    scanner, scan, axes = SCANNERS[patient.organ], patient.scan, patient.scan.axes()
    to_grid = scan.directions.T
    wall = Wall(to_grid @ patient.wall.normal, patient.wall.distance)
    look = scanner.look(patient.organ, scan)
    volume = render_parenchyma(rng, look, axes)
    render_vessels(rng, look, wall.normal, axes, volume)
    for lesion in patient.lesions:
        render_lesion(rng, look, lesion, to_grid @ lesion.centre, axes, volume)
    render_wall(look, wall, axes, volume)
    return scanner.acquire(scan, volume, rng)


def write_cohort(folder: Path, organ: str, patients: int, seed: int, workers: int) -> pd.DataFrame:
    """Write one NIfTI volume a patient and `manifest.csv` to `folder`, whole or not at all; gives the manifest.

    The bytes are the same for any number of `workers`.
    """
    numbers = range(1, patients + 1)
    with whole_folder(folder) as partly:
        write = partial(_write_patient, partly, organ, seed)
        if workers == 1:
            tables = [write(number) for number in numbers]
        else:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                tables = list(pool.map(write, numbers, chunksize=4))
        manifest = pd.DataFrame([row for rows in tables for row in rows], columns=COLUMNS)
        manifest.to_csv(partly / "manifest.csv", index=False, lineterminator="\n")
    return manifest


def rows(patient: Patient) -> Iterator[tuple]:
    """The patient's rows of the manifest, one a lesion, positions in mm in RAS+."""
    for lesion in patient.lesions:
        x, y, z = (patient.scan.centre + lesion.centre).round(2).tolist()
        diameter = round(lesion.traits["diameter"], 1)
        yield (
            patient.name,
            f"{patient.name}.nii.gz",
            lesion.label,
            x,
            y,
            z,
            patient.scan.site,
            diameter,
        )


def size_auroc(manifest: pd.DataFrame) -> float:
    """AUROC of the diameter alone for malignant (Mann-Whitney's U over its greatest value); NaN where a class lacks."""
    malignant = manifest.label == "malignant"
    ranks = manifest.diameter_mm.rank()[malignant]
    pairs = malignant.sum() * (~malignant).sum()
    return (
        float((ranks.sum() - len(ranks) * (len(ranks) + 1) / 2) / pairs) if pairs else float("nan")
    )


def _write_patient(folder: Path, organ: str, seed: int, number: int) -> list[tuple]:
    patient = draw_patient(seed, organ, number)
    volume = render(patient, generator(seed, "phantom", organ, number, "voxels"))
    image = nibabel.Nifti1Image(volume, patient.scan.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(patient.scan.affine, "scanner")
    image.set_qform(patient.scan.affine, "scanner")
    # The time of writing would make every run's bytes differ.
    content = gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)
    (folder / f"{patient.name}.nii.gz").write_bytes(content)
    return list(rows(patient))


def _place(
    rng: np.random.Generator, radius: float, scan: Scan, wall: Wall, others: list[Lesion]
) -> np.ndarray | None:
    """A centre (3,) inside the organ: the first of its candidates, or the farthest from the other lesions."""
    half = np.array(scan.shape) * scan.spacing / 2 - EDGE_MM
    places = rng.uniform(-half, half, (CANDIDATES, 3)) @ scan.directions.T  # (CANDIDATES, 3) mm
    places = places[wall.depth(*places.T) < -0.9 * radius]
    if not len(places):
        return None
    if not others:
        return places[0]
    gaps = np.min(
        [np.linalg.norm(places - other.centre, axis=1) - other.radius - radius for other in others],
        axis=0,
    )
    return places[gaps.argmax()] if gaps.max() >= GAP_MM else None
