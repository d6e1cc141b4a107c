"""card.json: what a saved model is, what it was trained on, and the SHA-256 of its weights."""

from collections.abc import Mapping, Sequence
from math import fsum, isclose
from pathlib import Path
from typing import Any

from graft.common.files import InputError, read_sealed, whole_folder, write_sealed

CARD = "card.json"
NO_MODEL = "none.json"  # in the folder of a model that was not wanted
KEYS = ("architecture", "classes", "shares", "weights_sha256")  # of every card


def read_card(folder: Path) -> dict:
    """Read the card of a model folder.

    Raises:
        InputError: if it is missing, cut short or changed, or if its shares do not sum to 1.
    """
    path = folder / CARD
    card = read_sealed(path)
    missing = [key for key in KEYS if key not in card]
    if missing:
        raise InputError(f"{path}: has no key {missing[0]!r}, expected the card of a model")
    check_shares(path, card["shares"])
    return card


def describe_guarantee(entry: Mapping[str, Any]) -> str:
    """Describe an entry `privacy` of a card: towards whom a model keeps which guarantee."""
    return (
        f"towards each {entry['unit']} of {entry['domain']} who was trained on: "
        f"ε = {entry['epsilon']:.3g}, δ = {entry['delta']:.2g}"
    )


def write_no_model(folder: Path, reason: str) -> None:
    """Write the folder of a model that was not wanted, with the reason."""
    with whole_folder(folder) as partial:
        write_sealed(partial / NO_MODEL, {"reason": reason})


def has_model(folder: Path) -> bool:
    """Whether a folder should have a model: it does not say that none was wanted.

    Raises:
        InputError: if the file that says so was changed.
    """
    path = folder / NO_MODEL
    if not path.exists():
        return True
    read_sealed(path)
    return False


def is_model(folder: Path) -> bool:
    """Whether a path is the folder of a model."""
    return (folder / CARD).is_file()


def check_shares(path: Path, shares: Sequence[float]) -> None:
    """Raise InputError if networks cannot have these shares of a prediction."""
    are_numbers = all(isinstance(share, int | float) for share in shares)
    if not shares or not are_numbers or min(shares) < 0 or not isclose(fsum(shares), 1):
        raise InputError(
            f"{path}: has the shares {shares}, expected numbers that sum to 1, none below 0"
        )
