"""A trained model by its folder, small enough to be sent to another process."""

import functools
from dataclasses import dataclass
from pathlib import Path

import torch

from graft.common.files import check_digest
from graft.networks.card import CARD, read_card
from graft.networks.saved import Model, load_model


@dataclass(frozen=True)
class ModelReference:
    """A trained model, which each process reads once.

    Attributes:
        folder: of the model.
        weights_sha256: of its weights.
    """

    folder: Path
    weights_sha256: str

    @classmethod
    def to(cls, folder: Path) -> "ModelReference":
        """Refer to a model as it is now.

        Raises:
            InputError: if its card cannot be used.
        """
        return cls(folder, read_card(folder)["weights_sha256"])

    def load(self, device: torch.device) -> Model:
        """Load the model, or return it as it was loaded before. Do not change it.

        Raises:
            InputError: if a file cannot be used, or if the model was changed.
        """
        return _load(self, device)


@functools.lru_cache(maxsize=8)
def _load(reference: ModelReference, device: torch.device) -> Model:
    model = load_model(reference.folder, device)
    found = model.card["weights_sha256"]
    check_digest(reference.folder / CARD, found, reference.weights_sha256)
    return model
