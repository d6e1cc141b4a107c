"""A cohort: patients are drawn one by one, rendered in parallel and written as one folder."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from isal import isal_zlib

from graft.common.files import whole_folder
from graft.common.parallel import run_parallel
from graft.common.seeds import generator
from graft.common.tables import write_csv
from graft.phantom import ct, mr, spheres
from graft.phantom.anatomy import BodyWall, draw_wall, render_organ, render_vessels, render_wall
from graft.phantom.lesion import Lesion, render_lesion
from graft.phantom.scan import Scan
from graft.phantom.traits import draw_labels, draw_traits

COLUMNS = ("patient", "image", "label", "x", "y", "z", "site", "diameter_mm")
SCANNERS = {"lung": ct, "liver": ct, "liver_mr": mr, "unrelated": spheres}
EDGE_MM = 16.0  # from a lesion's centre to the end of the scan, at least: half a patch of 32 mm
GAP_MM = 2.0  # between two lesions, at least, so that they stay separate
CANDIDATES = 40  # places tried for one lesion: enough that nearly every lesion finds one
COMPRESSION = 2  # level of ISA-L: smaller than zlib's level 1, in a fifth of its time
GZIP = 31  # zlib's code for a gzip header, which then has no time of writing


@dataclass(frozen=True)
class Patient:
    """Everything that is drawn before the voxels; the wall and the lesions are in RAS+."""

    name: str
    organ: str
    scan: Scan
    wall: BodyWall
    lesions: tuple[Lesion, ...]


def draw_patient(seed: int, organ: str, number: int) -> Patient:
    """Draw patient `number` of an organ's cohort, independently of all other patients."""
    rng = generator(seed, "phantom", organ, number)
    scan = SCANNERS[organ].draw_scan(rng, organ)
    wall = spheres.NO_WALL if SCANNERS[organ] is spheres else draw_wall(rng)
    lesions: list[Lesion] = []
    for label in draw_labels(rng):
        traits = draw_traits(rng, organ, label)
        centre = _draw_place(rng, traits["diameter"] / 2, scan, wall, lesions)
        if centre is not None:
            lesions.append(Lesion(label, centre, traits))
    return Patient(f"{organ}-{number:04d}", organ, scan, wall, tuple(lesions))


def render_patient(patient: Patient, rng: np.random.Generator) -> np.ndarray:
    """The patient's int16 volume (X, Y, Z): HU for CT, arbitrary units for MR."""
    scanner = SCANNERS[patient.organ]
    scan = patient.scan
    if scanner is spheres:
        return scanner.acquire(scan, spheres.render_spheres(rng, scan, patient.lesions), rng)
    axes = scan.fine_axes()
    to_grid = scan.directions.T
    wall = BodyWall(to_grid @ patient.wall.normal, patient.wall.distance)
    appearance = scanner.appearance_in(scan, patient.organ)
    volume = render_organ(rng, appearance, axes)
    render_vessels(rng, appearance, wall.normal, axes, volume)
    for lesion in patient.lesions:
        render_lesion(rng, appearance, lesion, to_grid @ lesion.centre, axes, volume)
    render_wall(appearance, wall, axes, volume)
    return scanner.acquire(scan, volume, rng)


def write_cohort(
    folder: Path,
    organ: str,
    patients: int,
    seed: int,
) -> pd.DataFrame:
    """Write one NIfTI volume per patient and manifest.csv.

    The folder appears whole or not at all. Its bytes do not depend on the number of processes.

    Args:
        folder: replaced by the cohort.
        organ: a key of SCANNERS.
        patients: how many.
        seed: of all random draws.

    Returns:
        The manifest, one row per lesion with COLUMNS.
    """
    numbers = range(1, patients + 1)
    with whole_folder(folder) as partial_folder:
        tables = run_parallel(partial(_write_patient, partial_folder, organ, seed), numbers)
        manifest = pd.DataFrame([row for table in tables for row in table], columns=COLUMNS)
        write_csv(partial_folder / "manifest.csv", manifest)
    return manifest


def manifest_rows(patient: Patient) -> list[tuple]:
    """The patient's rows of the manifest, one per lesion; positions are in mm in RAS+."""
    rows = []
    for lesion in patient.lesions:
        position = (patient.scan.centre + lesion.centre).round(2).tolist()
        row = (
            patient.name,
            f"{patient.name}.nii.gz",
            lesion.label,
            *position,
            patient.scan.site,
            round(lesion.traits["diameter"], 1),
        )
        rows.append(row)
    return rows


def size_auroc(manifest: pd.DataFrame) -> float:
    """AUROC of the diameter alone for malignant, as Mann-Whitney's U relative to its maximum.

    NaN if a class is missing.
    """
    malignant = manifest["label"] == "malignant"
    pairs = malignant.sum() * (~malignant).sum()
    if not pairs:
        return float("nan")
    ranks = manifest["diameter_mm"].rank()[malignant]
    lowest_sum = len(ranks) * (len(ranks) + 1) / 2
    return float((ranks.sum() - lowest_sum) / pairs)


def _write_patient(folder: Path, organ: str, seed: int, number: int) -> list[tuple]:
    patient = draw_patient(seed, organ, number)
    volume = render_patient(patient, generator(seed, "phantom", organ, number, "voxels"))
    image = nibabel.Nifti1Image(volume, patient.scan.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(patient.scan.affine, "scanner")
    image.set_qform(patient.scan.affine, "scanner")
    content = isal_zlib.compress(image.to_bytes(), COMPRESSION, GZIP)
    (folder / f"{patient.name}.nii.gz").write_bytes(content)
    return manifest_rows(patient)


def _draw_place(
    rng: np.random.Generator,
    radius: float,
    scan: Scan,
    wall: BodyWall,
    others: list[Lesion],
) -> np.ndarray | None:
    """Draw a centre (3,) inside the organ; None if no candidate is far enough from the others.

    Of several candidates, it is the first for the first lesion of a patient, and the one that is
    farthest from the other lesions for further ones.
    """
    half = np.array(scan.shape) * scan.spacing / 2 - EDGE_MM
    in_grid = rng.uniform(-half, half, (CANDIDATES, 3))  # mm
    places = in_grid @ scan.directions.T  # (CANDIDATES, 3) mm, RAS+
    places = places[wall.depth(*places.T) < -0.9 * radius]  # a lesion may touch the wall
    if not len(places):
        return None
    if not others:
        return places[0]
    gaps = []
    for other in others:
        distances = np.linalg.norm(places - other.centre, axis=1)
        gaps.append(distances - other.radius - radius)
    nearest = np.min(gaps, axis=0)  # (places,) mm
    return places[nearest.argmax()] if nearest.max() >= GAP_MM else None
