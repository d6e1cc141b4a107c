"""Elements of a data set: read as numbers or code words that are safe to show in an error."""

import re
from typing import TYPE_CHECKING

import numpy as np

from graft.common.files import InputError

if TYPE_CHECKING:
    from pydicom import Dataset

    Elements = Dataset | dict  # a place to look elements up; empty if the file has no such place

CODE_WORD = re.compile(r"[A-Z0-9_ ]{0,16}")


def read_numbers(dataset: "Elements", name: str, count: int) -> np.ndarray:
    """The `count` finite numbers of an element; raises InputError if it has anything else."""
    value = dataset.get(name)
    if value is None or value == "":
        raise InputError(f"has no {name}")
    try:
        found = np.atleast_1d(np.array(value, dtype=float))
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (count,) or not np.isfinite(found).all():
        expected = "1 finite number" if count == 1 else f"{count} finite numbers"
        raise InputError(f"has a {name} that is not {expected}")
    return found


def read_integer(dataset: "Elements", name: str) -> int:
    """The whole number of an element; raises InputError if it has anything else."""
    number = read_numbers(dataset, name, 1)[0]
    if number != int(number):
        raise InputError(f"has a {name} that is not a whole number")
    return int(number)


def read_code(dataset: "Elements", name: str) -> str:
    """The code word of an element, "" if it is missing; any other text is not passed on."""
    value = dataset.get(name)
    text = "" if value is None else str(value).strip()
    return text if CODE_WORD.fullmatch(text) else "not a code word"


def count_frames(dataset: "Dataset") -> int:
    """The number of frames of an image, 1 if it does not give any."""
    return read_integer(dataset, "NumberOfFrames") if "NumberOfFrames" in dataset else 1
