"""A processed domain: one image a lesion, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError, read_json, whole_folder, write_json

COLUMNS = ("sample", "patient", "label", "site", "split", "origin", "size", "hash")


@dataclass(frozen=True)
class Grid:
    """What an image shall be: voxels and mm a voxel along R, A, S (or R, A); the intensities that become 0 and 1.

    `intensity` says what `window` counts in, as `graft.ingest.intensity.raw_window` reads it.
    """

    patch: tuple[int, ...]
    spacing: tuple[float, ...]
    window: tuple[float, float]
    intensity: str = "window"

    def about(self, size: str, spaced: bool) -> dict:
        """How a domain's images were made: `size` says what its index measures, `spaced` whether there are mm."""
        return {
            "patch": list(self.patch),
            "spacing": list(self.spacing) if spaced else None,
            "window": list(self.window),
            "intensity": self.intensity,
            "size": size,
        }


@dataclass(frozen=True)
class Domain:
    """N lesions of one organ.

    `images` (N, C, *spatial) float16 in [0, 1] are memory-mapped when they come from a file; `index` has a row
    for each, with COLUMNS; `preprocessing` has the patch in voxels, the spacing in mm a voxel (None where the
    raw data has none), the window, the intensity that it counts in and what the column `size` measures. `kinds` has
    number, category or text for each clinical covariate, and `covariates` their columns as text, a row a lesion;
    without any it is None. So is `groups`, the columns `scanner`, `sex` and `age` where there are any: models are
    judged by them and never learn from them. `masks` (N, *spatial) uint8 are 1 inside each lesion, all 0 for one
    without a mask, and None where no lesion has one; nothing is ever learnt from them either.
    """

    name: str
    images: np.ndarray
    index: pd.DataFrame
    classes: list[str]
    preprocessing: dict
    kinds: Mapping[str, str] = field(default_factory=dict)
    covariates: pd.DataFrame | None = None
    groups: pd.DataFrame | None = None
    masks: np.ndarray | None = None

    @classmethod
    def read(cls, folder: Path) -> "Domain":
        """Read what `write` wrote; raises InputError where a file is missing, broken or at odds with the others."""
        about = read_json(folder / "domain.json")
        try:
            name, classes = about.pop("name"), about.pop("classes")
        except KeyError as error:
            raise InputError(f"{folder / 'domain.json'}: has no key {error}") from error
        images = _load(folder / "images.npy")
        index = read_index(folder / "index.csv")
        if len(images) != len(index):
            raise InputError(
                f"{folder}: images.npy has {len(images)} rows, index.csv {len(index)}, expected as many"
            )
        if unknown := set(index["label"]) - set(classes):
            raise InputError(
                f"{folder / 'index.csv'}: has the label {min(unknown)!r}, expected one of {classes}"
            )
        kinds = about.pop("covariates", {})
        covariates = (
            _read_table(folder / "covariates.csv", list(kinds), len(index)) if kinds else None
        )
        columns = about.pop("groups", [])
        groups = _read_table(folder / "groups.csv", columns, len(index)) if columns else None
        masks = _load(folder / "masks.npy") if (folder / "masks.npy").exists() else None
        expected = (len(images), *images.shape[2:])
        if masks is not None and masks.shape != expected:
            raise InputError(
                f"{folder / 'masks.npy'}: has the shape {masks.shape}, expected {expected}"
            )
        return cls(name, images, index, classes, about, kinds, covariates, groups, masks)

    def clinical(self, rows: np.ndarray) -> pd.DataFrame:
        """The covariates of these rows; a table without columns where the domain has none."""
        return pd.DataFrame(index=rows) if self.covariates is None else self.covariates.iloc[rows]


def read_index(path: Path) -> pd.DataFrame:
    """Read index.csv; raises InputError where it is missing, broken, lacks a column or numbers its rows otherwise."""
    try:
        index = pd.read_csv(path, dtype=str, keep_default_na=False)
        index = index[list(COLUMNS)].astype({"sample": "int64", "size": "float64"})
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read, expected the columns {', '.join(COLUMNS)} ({error})"
        ) from error
    if not np.array_equal(index["sample"], np.arange(len(index))):
        raise InputError(
            f"{path}: expected `sample` to count 0, 1, 2 and on, as the rows of images.npy"
        )
    return index


def _load(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


def _read_table(path: Path, columns: list[str], count: int) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        samples, table = table["sample"].astype("int64"), table[columns]
    except (OSError, ValueError, KeyError) as error:
        names = ", ".join(("sample", *columns))
        raise InputError(
            f"{path}: cannot be read, expected the columns {names} ({error})"
        ) from error
    if not np.array_equal(samples, np.arange(count)):
        raise InputError(
            f"{path}: expected `sample` to count from 0 to {count - 1}, as in index.csv"
        )
    return table


def write_domain(folder: Path, domain: Domain) -> None:
    """Write images.npy, index.csv, domain.json and, where there are any, covariates.csv, groups.csv and masks.npy.

    All of them or none.
    """
    about = {"name": domain.name, "classes": list(domain.classes), **domain.preprocessing}
    if domain.kinds:
        about["covariates"] = dict(domain.kinds)
    if domain.groups is not None:
        about["groups"] = list(domain.groups)
    with whole_folder(folder) as partial:
        np.save(
            partial / "images.npy", np.asarray(domain.images, dtype=np.float16), allow_pickle=False
        )
        domain.index.to_csv(
            partial / "index.csv", columns=list(COLUMNS), index=False, lineterminator="\n"
        )
        if domain.covariates is not None:
            table = domain.covariates.rename_axis("sample")
            table.to_csv(
                partial / "covariates.csv", columns=list(domain.kinds), lineterminator="\n"
            )
        if domain.groups is not None:
            domain.groups.rename_axis("sample").to_csv(partial / "groups.csv", lineterminator="\n")
        if domain.masks is not None:
            np.save(
                partial / "masks.npy", np.asarray(domain.masks, dtype=np.uint8), allow_pickle=False
            )
        write_json(partial / "domain.json", about)
