"""Which patients a model learns from, and which it never sees."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError, whole_file
from graft.common.seeds import generator
from graft.common.vocabulary import PARTS, TESTS
from graft.data.settings import SplitRules

LEAST = 3  # patients of a class: one to train on, one to validate on, one to test on


def assign_parts(
    name: str, index: pd.DataFrame, classes: list[str], rules: SplitRules, seed: int
) -> pd.Series:
    """The part of each sample of a domain's index, or "" where its label is not to be used.

    The site `rules.external` becomes that part whole, whatever its rows say. The other rows keep their given splits
    if all of them have one; if none has, patients are drawn by the shares of `rules` within each class. Of the patients who
    are in no test part, the share `labelled` keeps its labels within each class and part; a lower share keeps some of
    those that a higher one keeps. A patient's class is the last, in order, of their lesions.

    Raises InputError where the site is unknown, only some rows have a split, a patient would be in two parts,
    or a class lacks patients.
    """
    parts = _given(name, index, rules.external)
    check_patients(f"domains.{name}", index, parts)
    worst = index["label"].map(classes.index).groupby(index["patient"], sort=False).max()
    patients = pd.DataFrame(
        {"part": parts.groupby(index["patient"], sort=False).first(), "label": worst}
    )
    rng = generator(seed, "split", name)
    for label, group in patients[patients["part"] == ""].groupby("label"):
        patients.loc[group.index, "part"] = _draw(name, classes[label], len(group), rules, rng)
    rng = generator(seed, "labelled", name)
    for (part, _), group in patients.groupby(["part", "label"]):
        if part not in TESTS:
            keep = max(1, round(rules.labelled * len(group)))
            patients.loc[rng.permutation(group.index)[keep:], "part"] = ""
    assigned = index["patient"].map(patients["part"])
    check_classes(name, index, assigned, classes)
    return assigned


def read_split(path: Path, index: pd.DataFrame) -> dict[str, np.ndarray]:
    """The samples of each part that `path` (`sample, part`) has, as rows of the domain's index, in their order.

    Raises InputError where the file is missing or broken, a patient is in two parts, or nobody is in train,
    validation or test.
    """
    try:
        table = pd.read_csv(path, dtype={"sample": "int64", "part": str}, keep_default_na=False)
        samples, parts = table["sample"], table["part"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read, expected the columns sample, part ({error})"
        ) from error
    if unknown := set(parts) - set(PARTS):
        raise InputError(
            f"{path}: has the part {min(unknown)!r}, expected one of {', '.join(PARTS)}"
        )
    if not samples.is_unique or not samples.isin(index["sample"]).all():
        raise InputError(f"{path}: expected samples from 0 to {len(index) - 1}, each once at most")
    check_patients(str(path), index.iloc[samples], parts)
    for part in PARTS[:3]:
        if not (parts == part).any():
            raise InputError(f"{path}: no sample is in the part {part!r}, expected at least one")
    return {
        part: np.sort(samples[parts == part].to_numpy()) for part in PARTS if (parts == part).any()
    }


def pool_for_cross_validation(
    parts: Mapping[str, np.ndarray], index: pd.DataFrame
) -> tuple[np.ndarray, float]:
    """The rows to divide anew by cross-validation, and which share of the patients who are not tested validates.

    The external site stays out, and so does a test part that the raw data gave. The share is that of the split.
    """
    given = (index["split"].iloc[parts["test"]] != "").any()
    pool = [parts["train"], parts["validation"]] + ([] if given else [parts["test"]])
    patients = {
        part: index["patient"].iloc[parts[part]].nunique() for part in ("train", "validation")
    }
    return np.sort(np.concatenate(pool)), patients["validation"] / sum(patients.values())


def write_split(path: Path, parts: pd.Series) -> None:
    """Write the samples that have a part to `path` (`sample, part`)."""
    table = parts[parts != ""].rename_axis("sample").rename("part")
    with whole_file(path) as partial:
        table.to_csv(partial, lineterminator="\n")


def check_patients(where: str, index: pd.DataFrame, parts: pd.Series) -> None:
    """Refuse a patient who is in two parts; `parts` (N,) are those of the N rows of the index."""
    rows = index[["patient", "origin"]].assign(part=np.asarray(parts))
    several = rows.groupby("patient")["part"].agg(["min", "max"])
    for patient, (one, other) in several[several["min"] != several["max"]].iterrows():
        mine = rows[rows["patient"] == patient]
        origin = [mine["origin"][mine["part"] == part].iloc[0] for part in (one, other)]
        raise InputError(
            f"{where}: the patient {patient} is in {one or 'another site'} ({origin[0]}) and in {other} ({origin[1]}), "
            "expected one part"
        )


def check_classes(name: str, index: pd.DataFrame, parts: pd.Series, classes: list[str]) -> None:
    """Refuse a part in which a class has no patient."""
    for part in PARTS:
        if part == "external" and not (parts == part).any():
            continue
        for label in classes:
            here = index["patient"][(parts == part) & (index["label"] == label)].nunique()
            if not here:
                everywhere = index["patient"][index["label"] == label].nunique()
                raise InputError(
                    f"domains.{name}: the part {part} has none of the {everywhere} patients with the class {label!r}, "
                    "expected at least 1"
                )


def _given(name: str, index: pd.DataFrame, external: str | None) -> pd.Series:
    """The part that the raw data gives each sample, "" where it gives none to any outside the external site."""
    parts = index["split"].copy()
    if external is not None:
        sites = sorted(set(index["site"]) - {""})
        if external not in sites:
            known = ", ".join(sites) or "of which the data names none"
            raise InputError(
                f"params.yaml: domains.{name}.split.external: got {external!r}, expected null or one of the sites {known}"
            )
        parts[index["site"] == external] = "external"
    others = parts[index["site"] != external]
    if 0 < (others == "").sum() < len(others):
        raise InputError(
            f"domains.{name}: {(others == '').sum()} of {len(others)} lesions have no given split (the first is "
            f"{index.loc[others.index[others == ''][0], 'origin']}), expected a split for all of them or for none"
        )
    return parts


def _draw(
    name: str, label: str, patients: int, shares: SplitRules, rng: np.random.Generator
) -> np.ndarray:
    """Parts, in a random order, for the patients of one class: at least one patient each."""
    if patients < LEAST:
        raise InputError(
            f"domains.{name}: the class {label!r} has {patients} patients to split, expected at least {LEAST}: "
            "one each to train, validate and test on"
        )
    test = min(max(1, round(shares.test * patients)), patients - 2)
    validation = min(max(1, round(shares.validation * patients)), patients - 1 - test)
    counts = (patients - test - validation, validation, test)
    return rng.permutation(np.repeat(["train", "validation", "test"], counts))
