"""The parts of a domain: which patients a model trains on, and which are kept for tests."""

from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.common.vocabulary import PARTS, TESTS
from graft.data.given_split import given_parts
from graft.data.sealed_tables import open_sealed_table, write_sealed_table
from graft.data.settings import SplitRules

LEAST = 3  # patients of each class: one to train on, one to validate on, one to test on


def assign_parts(
    name: str, index: pd.DataFrame, classes: list[str], rules: SplitRules, seed: int
) -> pd.Series:
    """The part of each sample of a domain's index, or "" if its label is not used.

    The site `rules.external` becomes the external part, even if its rows have a given split. The
    other rows keep their given splits if all of them have one. If none has, patients are drawn by
    the shares of `rules` within each class. If the given splits have no validation part, the share
    `rules.validation` of the training patients is drawn for it, within each class. The class of a
    patient is the last one, in the order of `classes`, that one of their lesions has.

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
        drawn = _draw_parts(name, classes[label], len(group), rules, random)
        patients.loc[group.index, "part"] = drawn
    if not (patients["part"] == "validation").any():
        random = generator(seed, "validation", name)
        for label, group in patients[patients["part"] == "train"].groupby("label"):
            drawn = _draw_validation(name, classes[label], len(group), rules, random)
            patients.loc[group.index, "part"] = drawn
    random = generator(seed, "labelled", name)
    for (part, _), group in patients.groupby(["part", "label"]):
        if part in TESTS:
            continue
        kept = max(1, round(rules.labelled * len(group)))
        without_label = random.permutation(group.index)[kept:]
        patients.loc[without_label, "part"] = ""
    assigned = index["patient"].map(patients["part"])
    check_classes(name, index, assigned, classes)
    return assigned


def read_split(path: Path, index: pd.DataFrame) -> dict[str, np.ndarray]:
    """Read the rows of a domain's index by part, in rising order, for each part that has any.

    Args:
        path: a table with the columns `sample` and `part`.
        index: a row per lesion of the domain.

    Raises:
        InputError: if the file is missing, broken or changed, or was written for other lesions,
            a patient is in two parts, or train, validation or test is empty.
    """
    content = open_sealed_table(path, describe_lesions(index))
    try:
        table = pd.read_csv(content, dtype={"sample": "int64", "part": str}, keep_default_na=False)
        samples = table["sample"]
        parts = table["part"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read, expected the columns sample, part ({error})"
        ) from error
    unknown = set(parts) - set(PARTS)
    if unknown:
        allowed = ", ".join(PARTS)
        raise InputError(f"{path}: has the part {min(unknown)!r}, expected one of {allowed}")
    if not samples.is_unique or not samples.isin(index["sample"]).all():
        raise InputError(
            f"{path}: has a sample twice or one that is not in the domain, "
            f"expected samples from 0 to {len(index) - 1}, each at most once"
        )
    check_patients(str(path), index.iloc[samples], parts)
    rows = {}
    for part in PARTS:
        here = samples[parts == part].to_numpy()
        if len(here):
            rows[part] = np.sort(here)
        elif part != "external":
            raise InputError(f"{path}: no sample is in the part {part!r}, expected at least one")
    return rows


def write_split(path: Path, parts: pd.Series, index: pd.DataFrame) -> None:
    """Write the samples that have a part, as a table with the columns `sample` and `part`.

    Args:
        path: the file.
        parts: (N,), the part of each lesion, "" for a lesion without one.
        index: a row per lesion of the domain. The table can only be read for the same lesions.
    """
    table = parts[parts != ""].rename_axis("sample").rename("part")
    write_sealed_table(path, table.reset_index(), describe_lesions(index))


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


def check_classes(name: str, index: pd.DataFrame, parts: pd.Series, classes: list[str]) -> None:
    """Raise InputError if a class has no patient in a part.

    The external part is not checked if it is empty.
    """
    for part in PARTS:
        if part == "external" and not (parts == part).any():
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


def _draw_parts(
    name: str, label: str, patients: int, shares: SplitRules, random: np.random.Generator
) -> np.ndarray:
    """Draw the part of each patient of one class: (patients,).

    Each of train, validation and test gets at least one patient.

    Raises:
        InputError: if the class has fewer than LEAST patients.
    """
    if patients < LEAST:
        raise InputError(
            f"domains.{name}: the class {label!r} has {patients} patients to split, expected at "
            f"least {LEAST}: one each to train, validate and test on"
        )
    test = max(1, round(shares.test * patients))
    test = min(test, patients - 2)
    validation = max(1, round(shares.validation * patients))
    validation = min(validation, patients - 1 - test)
    train = patients - test - validation
    parts = np.repeat(["train", "validation", "test"], [train, validation, test])
    return random.permutation(parts)


def _draw_validation(
    name: str, label: str, patients: int, shares: SplitRules, random: np.random.Generator
) -> np.ndarray:
    """Draw the validation part from the training patients of one class: (patients,).

    Raises:
        InputError: if the class has fewer than two patients.
    """
    if patients < 2:
        raise InputError(
            f"domains.{name}: the class {label!r} has 1 patient in the given part train, and no "
            "part validation is given; expected at least 2: one each to train and validate on"
        )
    validation = max(1, round(shares.validation * patients))
    validation = min(validation, patients - 1)
    parts = np.repeat(["train", "validation"], [patients - validation, validation])
    return random.permutation(parts)
