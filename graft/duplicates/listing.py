"""Tables for the user: the file of each image, and the pairs of images that are one picture.

The name of a file may be a patient's. These tables are therefore no output of a stage. They stay
on this machine, beside the raw data that has the same names.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from graft.common.files import whole_file
from graft.data.domain import Domain
from graft.duplicates.fingerprints import DuplicatePair


def write_file_names(path: Path, domain: Domain) -> None:
    """Write the raw file of each image, or delete the table if the images have none of their own.

    Args:
        path: a table with the columns `origin`, `hash` and `file`.
        domain: that was just read from its raw data.
    """
    if domain.files is None:
        path.unlink(missing_ok=True)
        return
    table = domain.index[["origin", "hash"]].assign(file=domain.files)
    with whole_file(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


def read_file_names(path: Path, domain: Domain) -> list[str]:
    """Read the raw file of each image.

    It is `origin` instead if the table is not of these images, as after `dvc pull`.

    Args:
        path: what `write_file_names` wrote.
        domain: of the images.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if table["hash"].equals(domain.index["hash"]):
            return table["file"].tolist()
    except (OSError, ValueError, KeyError):
        pass  # missing or broken: it only makes messages clearer
    return domain.index["origin"].tolist()


def write_pairs(
    path: Path,
    domain: Domain,
    parts: pd.Series,
    pairs: Sequence[DuplicatePair],
    files: Sequence[str],
) -> None:
    """Write the pairs of a domain, or delete the table if there are none.

    Args:
        path: a table with both files, their labels and parts, and the evidence of each pair.
        domain: N images.
        parts: (N,), "" for samples that no model sees.
        pairs: of the images.
        files: (N,), the name of each image.
    """
    if not pairs:
        path.unlink(missing_ok=True)
        return
    labels = domain.index["label"]
    rows = []
    for pair in pairs:
        row = {}
        for name, number in (("first", pair.first), ("second", pair.second)):
            row[name] = files[number]
            row[f"label_{name}"] = labels[number]
            row[f"part_{name}"] = parts[number] or "unused"
        rows.append(row | {"evidence": pair.evidence})
    with whole_file(path) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False, lineterminator="\n")
