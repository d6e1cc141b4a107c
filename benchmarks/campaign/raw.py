"""Small raw domains in every form that graft reads, made from the phantom."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from PIL import Image

from graft.data.domain import write_domain
from graft.ingest.read import read_raw_domain
from graft.ingest.settings import Preprocess, RawDomain
from graft.keys.settings import PseudonymKey
from graft.phantom.cohort import write_cohort

CLASSES = ["benign", "malignant"]
KEY = PseudonymKey(key_variable="GRAFT_PATIENT_KEY", key_file=None)
PATIENTS = 6
SHAPE = (12, 12, 12)  # voxels of a small volume
FORMATS = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")  # in manifests of small volumes
FORMS = (*FORMATS, "dicom", "npy", "npz", "png", "jpg")


def write_lung(folder: Path, patients: int) -> None:
    """Write the source, as the stage `phantom` does."""
    write_cohort(folder, "lung", patients, seed=42)


def write_liver(folder: Path, patients: int) -> None:
    """Write the target: the phantom's liver with masks, a covariate and subgroups."""
    with tempfile.TemporaryDirectory() as parent:
        cohort = Path(parent) / "liver"
        manifest = write_cohort(cohort, "liver", patients, seed=42)
        shutil.copytree(cohort, folder)
    random = np.random.default_rng(0)
    names = sorted(set(manifest["patient"]))
    facts = pd.DataFrame(
        {
            "scanner": random.choice(["A", "B"], len(names)),
            "sex": random.choice(["F", "M"], len(names)),
            "age": random.integers(30, 80, len(names)),
            "marker": random.normal(5, 2, len(names)).round(2),
        },
        index=names,
    )
    (folder / "masks").mkdir()
    masks = [_write_mask(folder, number, row) for number, row in manifest.iterrows()]
    table = manifest.join(facts, on="patient").assign(mask=masks)
    table.drop(columns="diameter_mm").to_csv(folder / "manifest.csv", index=False)


def _write_mask(folder: Path, number: object, row: pd.Series) -> str:
    """Write the sphere of a lesion on the grid of its image, and return its name."""
    image = nibabel.load(folder / row["image"])
    grid = np.stack(np.indices(image.shape), axis=-1)  # (X, Y, Z, 3)
    places = nibabel.affines.apply_affine(image.affine, grid)
    centre = row[["x", "y", "z"]].to_numpy(float)
    inside = np.linalg.norm(places - centre, axis=-1) <= max(row["diameter_mm"] / 2, 2.0)
    name = f"masks/lesion-{number}.nii.gz"
    nibabel.save(nibabel.Nifti1Image(inside.astype(np.uint8), image.affine), folder / name)
    return name


def write_form(folder: Path, form: str) -> None:
    """Write a small raw domain in one of the FORMS, the same on every call."""
    random = np.random.default_rng(7)
    folder.mkdir(parents=True)
    labels = [CLASSES[k % 2] for k in range(PATIENTS)]
    writers: dict[str, Callable] = {
        "dicom": _write_dicom,
        "npy": _write_npy,
        "npz": _write_npz,
        "png": _write_pictures,
        "jpg": _write_pictures,
    }
    writers.get(form, _write_volumes)(folder, form, labels, random)


def _write_volumes(folder: Path, suffix: str, labels: list[str], random: np.random.Generator):
    import SimpleITK

    names = []
    for k in range(PATIENTS):
        voxels = random.integers(0, 160, SHAPE).astype(np.int16)
        names.append(f"scan-{k}{suffix}")
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(folder / names[-1]))
    _write_manifest(folder, names, labels, "voxel", [6, 6, 6])


def _write_dicom(folder: Path, form: str, labels: list[str], random: np.random.Generator):
    names = []
    for k in range(PATIENTS):
        voxels = random.integers(0, 160, SHAPE).astype(np.int16)
        names.append(f"series-{k}")
        _write_series(folder / names[-1], voxels, k)
    _write_manifest(folder, names, labels, "voxel", [6, 6, 6])


def _write_series(folder: Path, voxels: np.ndarray, number: int) -> None:
    from pydicom import Dataset, dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir()
    uid = generate_uid(entropy_srcs=[str(number)])
    for z, plane in enumerate(voxels):
        made = Dataset()
        made.SOPClassUID, made.Modality = CTImageStorage, "CT"
        made.SOPInstanceUID = generate_uid(entropy_srcs=[str(number), str(z)])
        made.PatientID = made.PatientName = f"P{number}"
        made.StudyInstanceUID = made.SeriesInstanceUID = made.FrameOfReferenceUID = uid
        made.ImageType, made.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], z + 1
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
        made.PixelRepresentation, made.RescaleType = 1, "HU"
        made.RescaleSlope, made.RescaleIntercept = 1, 0
        made.Rows, made.Columns = plane.shape
        made.PixelSpacing, made.SliceThickness = [1.0, 1.0], 1.0
        made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        made.ImagePositionPatient = [0, 0, z]
        made.PixelData = plane.tobytes()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dcmwrite(folder / f"{z:02}.dcm", made, enforce_file_format=True)


def _write_manifest(
    folder: Path, images: list[str], labels: list[str], frame: str, position: list[int]
) -> None:
    table = pd.DataFrame({"patient": [f"p{k}" for k in range(len(images))], "image": images})
    table["label"] = labels
    table[["x", "y", "z"]] = position
    table["frame"] = frame
    table.to_csv(folder / "manifest.csv", index=False)


def _write_npy(folder: Path, form: str, labels: list[str], random: np.random.Generator):
    np.save(folder / "data.npy", random.integers(0, 160, (PATIENTS, 8, 8, 8)).astype(np.int16))
    np.save(folder / "labels.npy", np.array([CLASSES.index(label) for label in labels]))
    np.save(folder / "groups.npy", np.array([f"p{k}" for k in range(PATIENTS)]))


def _write_npz(folder: Path, form: str, labels: list[str], random: np.random.Generator):
    arrays = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = random.integers(0, 255, (4, 28, 28)).astype(np.uint8)
        arrays[f"{part}_labels"] = np.array([[0], [1], [0], [1]], np.uint8)
    np.savez_compressed(folder / "small.npz", **arrays)


def _write_pictures(folder: Path, suffix: str, labels: list[str], random: np.random.Generator):
    for k, label in enumerate(labels):
        pixels = random.integers(0, 255, (40, 40)).astype(np.uint8)
        path = folder / label / f"picture-{k}.{suffix}"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)


def read_form(folder: Path, form: str, written: Path) -> None:
    """Read a small raw domain, and write it as a processed one."""
    flat = form in ("npz", "png", "jpg")
    domain = RawDomain.model_validate(
        {
            "path": str(folder),
            "classes": CLASSES,
            "window": [0.0, 255.0] if flat else [0.0, 160.0],
            "intensity": "window",
            "patient_pattern": None,
            "covariates": {},
            "tasks": {},
            "burned_in": "refuse",
            "channels": "auto",
            "ignore": None,
        }
    )
    patch = [28, 28] if flat else [8, 8, 8]
    grid = Preprocess(patch=patch, spacing=[1.0] * len(patch))
    write_domain(written, read_raw_domain("small", domain, grid, KEY, Path(os.fspath(folder))))
