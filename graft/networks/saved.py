"""A trained model as a folder: `weights.safetensors` and `card.json`, enough to predict with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes
from torch import Tensor

from graft.common.files import InputError, check_sha256, sha256, write_sealed
from graft.common.shown import one_line
from graft.data.batches import Images, consecutive, read_batches
from graft.data.covariates import Encoding
from graft.networks.build import build_network
from graft.networks.card import CARD, check_shares, read_card
from graft.networks.classifier import Classifier

WEIGHTS = "weights.safetensors"  # of a model folder
BATCH = 64  # samples at once when models are explained and tested
# Samples at once when predicting. A batch of another size may round differently, so a smaller last
# batch is filled: then a prediction does not depend on the samples beside it. Few, because filling
# costs time when a single sample is predicted.
TOGETHER = 8


MaybeTensor = TypeVar("MaybeTensor", Tensor, Tensor | None)


@dataclass(frozen=True)
class Model:
    """f(x) = Σ share_k · softmax(network_k(x)). A single network has the share 1."""

    card: dict
    networks: Sequence[Classifier]

    @property
    def encoding(self) -> Encoding:
        """How the covariates that the model was trained with become numbers."""
        return Encoding(self.card.get("covariates", ()))

    @property
    def device(self) -> torch.device:
        """The device that the networks are on."""
        return next(self.networks[0].parameters()).device

    @torch.inference_mode()
    def predict(self, images: Images, covariates: pd.DataFrame | None = None) -> np.ndarray:
        """Class probabilities (N, classes) float64 of images (N, C, *patch) in [0, 1].

        Those of an image do not depend on the other images, to the last bit.

        Args:
            images: of the shape that the model was trained on.
            covariates: N rows as in `covariates.csv` of a processed domain, empty if a value is
                unknown. Only a model that was trained with covariates needs them. Other columns
                are ignored.

        Raises:
            InputError: if the images have another shape, covariates are missing, or a probability
                is NaN.
        """
        self._check_images(images)
        chunks = [torch.zeros(0, len(self.card["classes"]), dtype=torch.float64)]
        for rows, rows_known in self.batches(images, covariates, TOGETHER):
            batch, known = fill_batch(rows), fill_batch(rows_known)
            terms = []
            for share, network in zip(self.card["shares"], self.networks, strict=True):
                views = [
                    network.forward_by_row(view, known).double().softmax(1)  # (B, classes)
                    for view in self.views(batch)
                ]
                terms.append(share * torch.stack(views).mean(0).cpu())
            chunks.append(reduce(torch.add, terms)[: len(rows)])
        predicted = torch.cat(chunks).numpy()
        if not np.isfinite(predicted).all():
            row = int(np.argmin(np.isfinite(predicted).all(1)))
            raise InputError(
                f"{self.card.get('stage', 'model')}: gives image {row} a probability that is NaN, "
                "expected a number in [0, 1]; were the images or the covariates too large?"
            )
        return predicted

    def batches(
        self,
        images: Images,
        covariates: pd.DataFrame | None,
        size: int,
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Images (B, C, *patch) and covariates (B, K) or None, batch by batch, on the device.

        Raises:
            InputError: if covariates are missing.
        """
        encoded = self._encode(covariates, len(images))
        batches = consecutive(len(images), size)
        images_of_batches = read_batches(images, batches, self.device)
        for rows, batch in zip(batches, images_of_batches, strict=True):
            known = None if encoded is None else encoded[rows].to(self.device)
            yield batch, known

    def views(self, batch: Tensor) -> Iterator[Tensor]:
        """The images (B, C, *patch), and all mirror images of them if the card asks for that."""
        yield batch
        if not self.card.get("predict", {}).get("mirror"):
            return
        axes = range(2, batch.ndim)
        for count in range(1, len(axes) + 1):
            for mirrored in combinations(axes, count):
                yield batch.flip(mirrored)

    def _check_images(self, images: Images) -> None:
        found = list(images.shape[1:])
        channels = self.card["architecture"]["channels"]
        patch = self.card["architecture"]["patch"]
        if found != [channels, *patch]:
            raise InputError(
                f"images: got the shape {tuple(found)}, expected {channels} channels of {patch}, "
                "on which the model was trained"
            )

    def _encode(self, covariates: pd.DataFrame | None, count: int) -> Tensor | None:
        """The covariates (N, K) float32, or None for a model of images alone."""
        encoding = self.encoding
        if not encoding.width:
            return None
        if covariates is None or len(covariates) != count:
            found = "none" if covariates is None else f"{len(covariates)} rows"
            raise InputError(
                f"covariates: got {found}, expected {', '.join(encoding.names)} of {count} images, "
                "with which the model was trained"
            )
        return torch.from_numpy(encoding.encode(covariates))


def fill_batch(batch: MaybeTensor) -> MaybeTensor:
    """The rows (B, ...) of a batch, and copies of the last one: (TOGETHER, ...)."""
    if batch is None or len(batch) == TOGETHER:
        return batch
    copies = batch[-1:].expand(TOGETHER - len(batch), *batch.shape[1:])
    return torch.cat([batch, copies])


def save_model(
    folder: Path,
    networks: Sequence[Classifier],
    card: Mapping[str, Any],
) -> None:
    """Write a model into an existing folder.

    Args:
        folder: gets `weights.safetensors` and `card.json`.
        networks: the K members of the model.
        card: has at least `architecture` (the arguments of `build_network`), `classes` (names) and,
            if K is more than 1, `shares` (K numbers that sum to 1).

    Raises:
        InputError: if a weight is NaN or infinite, or if the shares do not sum to 1.
    """
    shares = card.get("shares", [1.0])
    check_shares(folder / CARD, shares)
    tensors = {}
    for k, network in enumerate(networks):
        prefix = _member_prefix(k, len(networks))
        for name, tensor in network.saved_tensors().items():
            tensors[prefix + name] = tensor.detach().cpu().contiguous()
    weights = folder / WEIGHTS
    _check_finite(weights, tensors)
    weights.write_bytes(as_bytes(tensors))
    write_sealed(folder / CARD, {**card, "shares": shares, "weights_sha256": sha256(weights)})


def load_model(folder: Path, device: torch.device | str = "cpu") -> Model:
    """Read a model folder.

    Raises:
        InputError: if a file is missing, cut short or changed, if it is not the one that the card
            describes, or if a weight is NaN or infinite.
    """
    card = read_card(folder)
    tensors = _read_weights(folder, card)
    count = len(card["shares"])
    networks = []
    for k in range(count):
        prefix = _member_prefix(k, count)
        member = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            if name.startswith(prefix)
        }
        try:
            network = build_network(**card["architecture"], seed=0)
            network.load_saved_tensors(member)
        except ModuleNotFoundError as error:
            raise InputError(
                f"{folder / CARD}: the network {card['architecture']['name']} needs the library "
                f"{error.name}, expected it to be installed: pip install 'graft[networks]'"
            ) from error
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"{folder / CARD}: does not describe a network of these weights "
                f"({one_line(str(error))})"
            ) from error
        networks.append(network.to(device).eval())
    return Model(card, networks)


def _read_weights(folder: Path, card: dict) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    check_sha256(path, card["weights_sha256"])
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path}: cannot be read as safetensors ({error}); expected a whole weights file"
        ) from error
    _check_finite(path, tensors)
    return tensors


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: the weights {name} have NaN or infinity, expected numbers")


def _member_prefix(k: int, count: int) -> str:
    """What the names of member k begin with in a file of several networks."""
    return f"{k}." if count > 1 else ""
