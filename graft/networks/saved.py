"""A trained model as a folder: `weights.safetensors` and `card.json`, enough to predict with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes
from torch import Tensor, nn

from graft.common.files import InputError, read_json, sha256, write_json
from graft.data.covariates import Encoding
from graft.networks.build import build_network

BATCH = 64  # samples at once when predicting; fixed, as other batches round otherwise


@dataclass(frozen=True)
class Model:
    """f(x) = Σ share_k · softmax(network_k(x)); one network with the share 1 is a model like any other."""

    card: dict
    networks: Sequence[nn.Module]

    @property
    def encoding(self) -> Encoding:
        """How the covariates that the model learnt with become numbers."""
        return Encoding(self.card.get("covariates", ()))

    @torch.inference_mode()
    def predict(
        self, images: np.ndarray | Tensor, covariates: pd.DataFrame | None = None
    ) -> np.ndarray:
        """Class probabilities (N, classes) float64 of images (N, C, *spatial) in [0, 1].

        A model that learnt with covariates needs theirs, N rows as `covariates.csv` of a processed domain has them,
        empty where a value is not known. Other columns are ignored.

        Raises InputError where the images have another shape, or the covariates are not there.
        """
        if list(images.shape[1:]) != [
            self.card["architecture"]["channels"],
            *self.card["architecture"]["patch"],
        ]:
            raise InputError(
                f"images: got the shape {tuple(images.shape[1:])}, expected {self.card['architecture']['channels']} "
                f"channels of {self.card['architecture']['patch']}, as the model learnt on"
            )
        device = next(self.networks[0].parameters()).device
        encoded = self.encode(covariates, len(images))
        chunks = [torch.zeros(0, len(self.card["classes"]), dtype=torch.float64)]
        for start in range(0, len(images), BATCH):
            batch = [torch.as_tensor(images[start : start + BATCH]).to(device, torch.float32)]
            batch += [
                torch.from_numpy(known[start : start + BATCH]).to(device) for known in encoded
            ]
            shares = zip(self.card["shares"], self.networks, strict=True)
            chunks.append(
                sum(share * network(*batch).double().softmax(1).cpu() for share, network in shares)
            )
        return torch.cat(chunks).numpy()

    def encode(self, covariates: pd.DataFrame | None, count: int) -> list[np.ndarray]:
        """The covariates (N, K) as the network takes them: one array, or none for a model of images alone.

        Raises InputError where they are not there.
        """
        if not self.encoding.width:
            return []
        if covariates is None or len(covariates) != count:
            found = "none" if covariates is None else f"{len(covariates)} rows"
            raise InputError(
                f"covariates: got {found}, expected {', '.join(self.encoding.names)} of {count} images, as the model "
                "learnt with them"
            )
        return [self.encoding.encode(covariates)]


def save_model(folder: Path, networks: Sequence[nn.Module], card: Mapping[str, object]) -> None:
    """Write a model into an existing folder.

    `card` has at least `architecture` (the arguments of `graft.networks.build`), `classes` (names) and,
    for more than one network, `shares` (K numbers that sum to 1).
    """
    shares = list(card.get("shares", [1.0]))
    tensors = {
        _prefix(k, len(networks)) + name: tensor.detach().cpu().contiguous()
        for k, network in enumerate(networks)
        for name, tensor in network.state_dict().items()
    }
    (folder / "weights.safetensors").write_bytes(as_bytes(tensors))
    digest = sha256(folder / "weights.safetensors")
    write_json(folder / "card.json", {**card, "shares": shares, "weights_sha256": digest})


def load_model(folder: Path, device: torch.device | str = "cpu") -> Model:
    """Read a model folder.

    Raises InputError where a file is missing, cut short, or not the one that the card describes.
    """
    card = read_json(folder / "card.json")
    path = folder / "weights.safetensors"
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path}: cannot be read as safetensors ({error}); expected a whole weights file"
        ) from error
    if sha256(path) != card.get("weights_sha256"):
        raise InputError(
            f"{path}: is not the file that {folder / 'card.json'} describes; their SHA-256 differ"
        )
    count = len(card["shares"])
    networks = []
    for k in range(count):
        prefix = _prefix(k, count)
        mine = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        try:
            network = build_network(**card["architecture"], seed=0)
            network.load_state_dict(mine)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{folder / 'card.json'}: does not describe a network of these weights ({reason})"
            ) from error
        networks.append(network.to(device).eval())
    return Model(card, networks)


def _prefix(k: int, count: int) -> str:
    return f"{k}." if count > 1 else ""
