"""Which model it is: one SHA-256 of everything in its folder that decides a prediction."""

import hashlib
import json
from pathlib import Path

from graft.common.files import sha256
from graft.networks.card import CARD
from graft.networks.saved import WEIGHTS
from graft.release.fitted import FITTED


def model_digest(folder: Path) -> str:
    """SHA-256 of the SHA-256 of weights, card and, if there is one, fitted.json, by their names.

    Raises:
        InputError: if the weights or the card are missing.
    """
    digests = {name: sha256(folder / name) for name in (CARD, WEIGHTS)}
    if (folder / FITTED).exists():
        digests[FITTED] = sha256(folder / FITTED)
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
