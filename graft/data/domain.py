"""A processed domain: one image per lesion, and what is known about the lesion."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import (
    FILES,
    InputError,
    check_files,
    read_sealed,
    whole_folder,
    write_sealed,
)
from graft.common.shown import counted
from graft.common.tables import write_csv
from graft.common.verified import VerifiedFiles
from graft.data.arrays import check_images, check_masks, load_array, load_masks, save_array

COLUMNS = ("sample", "patient", "label", "site", "split", "origin", "size", "hash")
IMAGES = "images.npy"
MASKS = "masks.npy"
SCANS = "scans.csv"
SPACINGS = ("spacing_r", "spacing_a", "spacing_s")  # its columns
DOCUMENT = "domain.json"  # names the SHA-256 of all other files of a domain


@dataclass(frozen=True)
class Domain:
    """N lesions of one organ.

    Attributes:
        name: as in the parameters.
        images: (N, C, *spatial) float16 in [0, 1], memory-mapped if they come from a file.
        index: a row per lesion, with the columns COLUMNS.
        classes: the labels, in order.
        preprocessing: the patch in voxels, the spacing in mm per voxel (None if the raw data has
            none), the window, its unit, and what the column `size` measures.
        kinds: number, category or text for each clinical covariate.
        covariates: the clinical covariates as text, a row per lesion; None without any.
        task_kinds: number, category or ordinal for each further label column.
        tasks: the further labels as text, a row per lesion; None without any. A model may be
            trained to predict them. No model reads them.
        groups: those of the columns `scanner`, `sex` and `age` that are known; None without any.
            Models are evaluated by group. No model trains on these columns.
        masks: (N, *spatial) uint8, 1 inside the lesion and 0 for a lesion without a mask; None if
            no lesion has a mask. No model trains on masks.
        spacings: (N, 3) mm per voxel of the scan of each lesion, along R, A and S; None if the raw
            data has no scans, or if an earlier version of graft wrote the domain.
        patients_known: whether the raw data says whose lesions these are. If it does not, each
            lesion counts as one patient, and no patients are counted.
        patient_key: which key made the pseudonyms: a key of `PUBLISHED_KEYS`, or the fingerprint
            of a private one; "" if it is not known.
        files: the raw file of each lesion if it has one of its own. It is known only while raw
            data is read, and is not written, because its name may be a patient's.
    """

    name: str
    images: np.ndarray
    index: pd.DataFrame
    classes: list[str]
    preprocessing: dict
    kinds: Mapping[str, str] = field(default_factory=dict)
    covariates: pd.DataFrame | None = None
    task_kinds: Mapping[str, str] = field(default_factory=dict)
    tasks: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None
    masks: np.ndarray | None = None
    spacings: np.ndarray | None = None
    patients_known: bool = True
    patient_key: str = ""
    files: list[str] | None = None

    @classmethod
    def read(cls, folder: Path, records: Path | None = None) -> "Domain":
        """Read what `write_domain` wrote, and compare every byte with the SHA-256 in domain.json.

        Args:
            folder: a processed domain.
            records: the folder of `VerifiedFiles`, if large files need not be compared again as
                long as they have not changed.

        Raises:
            InputError: if a file is missing, broken or changed, or contradicts another one.
        """
        document = folder / DOCUMENT
        about = read_sealed(document)
        files = about.get(FILES, {})
        verified = VerifiedFiles(records)
        unknown = [name for name in files if not verified.has(folder / name, files[name])]
        check_files(document, about, unknown)
        try:
            name, classes = about.pop("name"), about.pop("classes")
            del about[FILES]
        except KeyError as error:
            raise InputError(f"{document}: has no key {error}") from error
        images = load_array(folder / IMAGES)
        index = read_index(folder / "index.csv")
        _check_index(folder, index, classes, len(images))
        masks = load_masks(folder / MASKS, images) if MASKS in files else None
        if IMAGES in unknown:
            check_images(name, images, index["origin"])
        if masks is not None and MASKS in unknown:
            check_masks(folder / MASKS, masks)
        for file in unknown:
            verified.add(folder / file, files[file])
        kinds = about.pop("covariates", {})
        task_kinds = about.pop("tasks", {})
        groups = about.pop("groups", [])
        patients_known = about.pop("patients_known", True)
        patient_key = str(about.pop("patient_key", ""))
        return cls(
            name=name,
            images=images,
            index=index,
            classes=classes,
            preprocessing=about,
            kinds=kinds,
            covariates=_read_table(folder / "covariates.csv", list(kinds), len(index)),
            task_kinds=task_kinds,
            tasks=_read_table(folder / "tasks.csv", list(task_kinds), len(index)),
            groups=_read_table(folder / "groups.csv", groups, len(index)),
            masks=masks,
            spacings=_read_spacings(folder / SCANS, len(index)) if SCANS in files else None,
            patients_known=patients_known,
            patient_key=patient_key,
        )

    def count(self, rows: pd.DataFrame) -> str:
        """Say how many lesions, and of how many patients, some rows of the index are."""
        lesions = counted(len(rows), "lesion")
        if not self.patients_known:
            return lesions
        return f"{lesions} of {counted(rows['patient'].nunique(), 'patient')}"

    def clinical(self, rows: np.ndarray) -> pd.DataFrame:
        """The covariates of some rows, or a table without columns if the domain has none."""
        if self.covariates is None:
            return pd.DataFrame(index=rows)
        return self.covariates.iloc[rows]


def read_index(path: Path) -> pd.DataFrame:
    """Read index.csv.

    Raises:
        InputError: if the file is missing or broken, lacks a column, or does not number its rows
            from 0.
    """
    try:
        index = pd.read_csv(path, dtype=str, keep_default_na=False)
        index = index[list(COLUMNS)].astype({"sample": "int64", "size": "float64"})
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read, expected the columns {', '.join(COLUMNS)} ({error})"
        ) from error
    if not np.array_equal(index["sample"], np.arange(len(index))):
        raise InputError(
            f"{path}: `sample` does not number the rows, expected 0, 1, 2, ..., as in images.npy"
        )
    sizes = index["size"]
    wrong = ~(np.isfinite(sizes) & (sizes >= 0))
    if wrong.any():
        row = index[wrong].iloc[0]
        raise InputError(
            f"{path}: the size of {row['origin']} is {row['size']:g}, "
            "expected a finite number that is not negative"
        )
    return index


def write_domain(folder: Path, domain: Domain) -> None:
    """Write a processed domain, completely or not at all.

    The files are images.npy, index.csv and domain.json, and covariates.csv, tasks.csv, groups.csv,
    masks.npy and scans.csv if the domain has any.

    Raises:
        InputError: if an image has a value that is NaN, infinite or outside [0, 1].
    """
    with whole_folder(folder) as partial:
        fill_folder(partial, domain)


def fill_folder(folder: Path, domain: Domain) -> None:
    """Write the files of a processed domain into a folder, as `write_domain` does.

    Images and masks that are mapped from the folder are there already and are not written again.

    Raises:
        InputError: if an image has a value that is NaN, infinite or outside [0, 1].
    """
    images = np.asanyarray(domain.images, dtype=np.float16)
    check_images(domain.name, images, domain.index["origin"])
    about = {"name": domain.name, "classes": list(domain.classes), **domain.preprocessing}
    if not domain.patients_known:
        about["patients_known"] = False
    if domain.kinds:
        about["covariates"] = dict(domain.kinds)
    if domain.task_kinds:
        about["tasks"] = dict(domain.task_kinds)
    if domain.groups is not None:
        about["groups"] = list(domain.groups)
    if domain.patient_key:
        about["patient_key"] = domain.patient_key
    _save_unless_there(folder / IMAGES, images)
    write_csv(folder / "index.csv", domain.index[list(COLUMNS)])
    if domain.covariates is not None:
        _write_table(folder / "covariates.csv", domain.covariates[list(domain.kinds)])
    if domain.tasks is not None:
        _write_table(folder / "tasks.csv", domain.tasks[list(domain.task_kinds)])
    if domain.groups is not None:
        _write_table(folder / "groups.csv", domain.groups)
    if domain.spacings is not None:
        _write_table(folder / SCANS, pd.DataFrame(domain.spacings, columns=list(SPACINGS)))
    if domain.masks is not None:
        _save_unless_there(folder / MASKS, np.asanyarray(domain.masks, dtype=np.uint8))
    files = sorted(path.name for path in folder.iterdir())
    write_sealed(folder / DOCUMENT, about, files)


def _save_unless_there(path: Path, array: np.ndarray) -> None:
    mapped = getattr(array, "filename", None)  # of a memory map
    # By the file and not by its name: a folder above it may be a link.
    if mapped is None or not path.exists() or not path.samefile(mapped):
        save_array(path, array)


def _check_index(folder: Path, index: pd.DataFrame, classes: list[str], images: int) -> None:
    if images != len(index):
        raise InputError(
            f"{folder}: images.npy has {images} rows and index.csv {len(index)}, "
            "expected the same number"
        )
    unknown = set(index["label"]) - set(classes)
    if unknown:
        raise InputError(
            f"{folder / 'index.csv'}: has the label {min(unknown)!r}, expected one of {classes}"
        )


def _read_table(path: Path, columns: list[str], count: int) -> pd.DataFrame | None:
    """Read some columns of a table with `count` rows; None if no column is wanted."""
    if not columns:
        return None
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        samples = table["sample"].astype("int64")
        table = table[columns]
    except (OSError, ValueError, KeyError) as error:
        names = ", ".join(("sample", *columns))
        raise InputError(
            f"{path}: cannot be read, expected the columns {names} ({error})"
        ) from error
    if not np.array_equal(samples, np.arange(count)):
        raise InputError(
            f"{path}: `sample` does not number the rows, expected 0 to {count - 1}, as in index.csv"
        )
    return table


def _read_spacings(path: Path, count: int) -> np.ndarray:
    """Read the spacings (N, 3) of scans.csv."""
    table = _read_table(path, list(SPACINGS), count)
    assert table is not None
    numbers = table.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not (np.isfinite(numbers) & (numbers > 0)).all():
        raise InputError(f"{path}: has a spacing that is no number above 0, expected mm per voxel")
    return numbers


def _write_table(path: Path, table: pd.DataFrame) -> None:
    write_csv(path, table.rename_axis("sample"), index=True)
