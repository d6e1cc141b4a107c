"""The parts of a domain: which patients a model trains on, and which are kept for tests."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.common.vocabulary import PARTS, TESTS
from graft.data.draw_parts import draw_parts, draw_validation
from graft.data.given_split import given_parts
from graft.data.sealed_tables import open_sealed_table, write_sealed_table
from graft.data.settings import SplitRules


def assign_parts(
    name: str, index: pd.DataFrame, classes: list[str], rules: SplitRules, seed: int
) -> pd.Series:
    """The part of each sample of a domain's index, or "" if its label is not used.

    The site `rules.external` becomes the external part, even if its rows have a given split. The
    other rows keep their given splits if all of them have one. If none has, patients are drawn by
    the shares of `rules` within each class. If the given splits have no validation part, the share
    `rules.validation` of the training patients is drawn for it, within each class. If that is 0,
    there is none. The class of a patient is the last one, in the order of `classes`, that one of
    their lesions has.

    Outside the test parts, the share `rules.labelled` of the patients keeps its labels, within
    each class and part. The patients of a lower share are a subset of those of a higher one.

    Raises:
        InputError: if the site is unknown, only some rows have a split, a patient would be in
            two parts, or a class lacks patients.
    """
    parts = given_parts(name, index, rules.external)
    check_patients(f"domains.{name}", index, parts)
    by_patient = index["patient"]
    codes = index["label"].map(classes.index)
    last_class = codes.groupby(by_patient, sort=False).max()
    given_part = parts.groupby(by_patient, sort=False).first()
    patients = pd.DataFrame({"part": given_part, "label": last_class})
    random = generator(seed, "split", name)
    for label, group in patients[patients["part"] == ""].groupby("label"):
        drawn = draw_parts(name, classes[label], len(group), rules, random)
        patients.loc[group.index, "part"] = drawn
    if rules.validation and not (patients["part"] == "validation").any():
        random = generator(seed, "validation", name)
        for label, group in patients[patients["part"] == "train"].groupby("label"):
            drawn = draw_validation(name, classes[label], len(group), rules, random)
            patients.loc[group.index, "part"] = drawn
    random = generator(seed, "labelled", name)
    for (part, _), group in patients.groupby(["part", "label"]):
        if part in TESTS:
            continue
        kept = max(1, round(rules.labelled * len(group)))
        without_label = random.permutation(group.index)[kept:]
        patients.loc[without_label, "part"] = ""
    assigned = index["patient"].map(patients["part"])
    check_classes(name, index, assigned, classes, {"train", "test", *assigned})
    return assigned


def read_split(path: Path, index: pd.DataFrame) -> dict[str, np.ndarray]:
    """Read the rows of a domain's index by part, in rising order, for each part that has any.

    Args:
        path: a table with the columns `sample`, `part` and `fold`.
        index: a row per lesion of the domain.

    Raises:
        InputError: if the file is missing, broken or changed, or was written for other lesions,
            a patient is in two parts or folds, train or test is empty, or there are neither a
            validation part nor folds.
    """
    table = _read_table(path, index)
    rows = {}
    for part in PARTS:
        here = table.index[table["part"] == part].to_numpy()
        if len(here):
            rows[part] = here
        elif part in ("train", "test"):
            raise InputError(f"{path}: no sample is in the part {part!r}, expected at least one")
    return rows


def read_folds(path: Path, index: pd.DataFrame) -> np.ndarray:
    """Read the fold of each training row, in the order of the rows that `read_split` returns.

    Args:
        path: as in `read_split`.
        index: as in `read_split`.

    Returns:
        (N,) from 1 to the number of folds; all 0 if the domain has a validation part.

    Raises:
        InputError: as in `read_split`.
    """
    table = _read_table(path, index)
    return table["fold"][table["part"] == "train"].to_numpy()


def write_split(
    path: Path, parts: pd.Series, index: pd.DataFrame, folds: pd.Series | None = None
) -> None:
    """Write the samples that have a part: a table with the columns `sample`, `part` and `fold`.

    Args:
        path: the file.
        parts: (N,), the part of each lesion, "" for a lesion without one.
        index: a row per lesion of the domain. The table can only be read for the same lesions.
        folds: (N,), from 1 for each training lesion of a domain without validation part, else 0.
            Without it, all are 0.
    """
    table = pd.DataFrame({"part": parts, "fold": 0 if folds is None else folds})
    table = table[parts != ""].rename_axis("sample")
    write_sealed_table(path, table.reset_index(), describe_lesions(index))


def _read_table(path: Path, index: pd.DataFrame) -> pd.DataFrame:
    """Read the part and the fold of each sample that has a part, by sample, in rising order."""
    content = open_sealed_table(path, describe_lesions(index))
    kinds = {"sample": "int64", "part": str, "fold": "int64"}
    try:
        table = pd.read_csv(content, dtype=kinds, keep_default_na=False)[list(kinds)]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read, expected the columns {', '.join(kinds)} ({error})"
        ) from error
    unknown = set(table["part"]) - set(PARTS)
    if unknown:
        allowed = ", ".join(PARTS)
        raise InputError(f"{path}: has the part {min(unknown)!r}, expected one of {allowed}")
    samples = table["sample"]
    if not samples.is_unique or not samples.isin(index["sample"]).all():
        raise InputError(
            f"{path}: has a sample twice or one that is not in the domain, "
            f"expected samples from 0 to {len(index) - 1}, each at most once"
        )
    check_patients(str(path), index.iloc[samples], table["part"])
    _check_folds(path, index.iloc[samples], table["part"], table["fold"])
    return table.set_index("sample").sort_index()


def _check_folds(path: Path, index: pd.DataFrame, parts: pd.Series, folds: pd.Series) -> None:
    """Raise InputError unless folds, from 1 without a gap, divide the training patients.

    In a domain with a validation part, and outside of the training part, every fold is 0.
    """
    has_validation = (parts == "validation").any()
    should = (parts == "train") & (not has_validation)
    if (should != (folds > 0)).any():
        expected = "0 beside a validation part" if has_validation else "1 or more in train, else 0"
        raise InputError(f"{path}: has a wrong number in the column fold, expected {expected}")
    found = sorted(set(folds[should]))
    if found and (len(found) < 2 or found != list(range(1, len(found) + 1))):
        raise InputError(f"{path}: has the folds {found}, expected 1, 2 and so on")
    several = folds.groupby(index["patient"].to_numpy()).nunique()
    if (several > 1).any():
        raise InputError(
            f"{path}: the patient {several.idxmax()} is in several folds, expected one"
        )


def check_patients(where: str, index: pd.DataFrame, parts: pd.Series) -> None:
    """Raise InputError if a patient is in two parts.

    Args:
        where: the file or the key that the message names.
        index: N rows of a domain's index.
        parts: (N,), the part of each row.
    """
    rows = index[["patient", "origin"]].assign(part=np.asarray(parts))
    by_patient = rows.groupby("patient")["part"].agg(["min", "max"])
    several = by_patient[by_patient["min"] != by_patient["max"]]
    for patient, (one, other) in several.iterrows():
        mine = rows[rows["patient"] == patient]
        origin_of = mine.groupby("part")["origin"].first()
        raise InputError(
            f"{where}: the patient {patient} is in {one or 'another site'} ({origin_of[one]}) "
            f"and in {other} ({origin_of[other]}), expected one part"
        )


def check_classes(
    name: str, index: pd.DataFrame, parts: pd.Series, classes: list[str], expected: Collection[str]
) -> None:
    """Raise InputError if a class has no patient in one of the expected parts.

    Args:
        name: of the domain.
        index: a row per lesion.
        parts: (N,), the part of each lesion.
        classes: in order.
        expected: the parts to check.
    """
    for part in PARTS:
        if part not in expected:
            continue
        for label in classes:
            of_class = index["label"] == label
            if not (of_class & (parts == part)).any():
                patients = index["patient"][of_class].nunique()
                raise InputError(
                    f"domains.{name}: the part {part} has none of the {patients} patients with "
                    f"the class {label!r}, expected at least 1"
                )


def describe_lesions(index: pd.DataFrame) -> str:
    """The lesions that a split is about, by their patients, labels and images."""
    return index[["patient", "label", "hash"]].to_csv(index=False, lineterminator="\n")
