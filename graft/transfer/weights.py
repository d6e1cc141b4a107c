"""Weights that were trained elsewhere: find their file, check it and read its tensors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from graft.common.files import InputError, sha256
from graft.networks.published import published_weights

# torch.hub: a file's name ends in the first digits of its SHA-256.
TORCH_HUB_DIGEST = re.compile(r"-([a-f0-9]{8,})\.\w+$")
# Hugging Face: the name of a large file in the cache is its SHA-256.
HUGGING_FACE_DIGEST = re.compile(r"[a-f0-9]{64}")
DIGITS_SHOWN = 12  # of a SHA-256 in a message


@dataclass(frozen=True)
class Weights:
    """A complete file of weights: its tensors by name, and what a card says about it."""

    tensors: dict[str, Tensor]
    about: dict[str, str]

    @property
    def title(self) -> str:
        """The name of the weights in messages."""
        return self.about.get("weights") or self.about["file"]


def find_weights(source: str, network: str) -> Weights:
    """Find the weights that `pretrain.source` names. Published ones are downloaded once.

    Args:
        source: imagenet, kinetics, medicalnet or the path of a file.
        network: the name of the network that the weights are for.

    Raises:
        InputError: if the file is missing and cannot be downloaded, is damaged, or contains
            something else.
    """
    if source == "medicalnet":
        path, weights = from_hugging_face(network)
    elif source in ("imagenet", "kinetics"):
        entry = published_weights(network)
        path, weights = from_torch_hub(entry.url), repr(entry)
    else:
        path, weights = Path(source), ""
    tensors = read_weights(path)
    about = {"source": source, "weights": weights} if weights else {"source": "file"}
    return Weights(tensors, {**about, "file": path.name, "sha256": sha256(path)})


def from_torch_hub(url: str) -> Path:
    """Find the file of a URL in the cache of `torch.hub`, or download it.

    Raises:
        InputError: if the file is missing and cannot be downloaded, or if its SHA-256 does not
            begin with the digits in its name.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    named = TORCH_HUB_DIGEST.search(path.name)
    if named is None:
        raise InputError(
            f"{path.name}: has no SHA-256 in its name, expected one, as torch.hub names files"
        )
    expected = named[1]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), expected, progress=False)
        except (OSError, RuntimeError) as error:  # RuntimeError: the file has another SHA-256
            raise InputError(
                f"{path.name}: is not in {_short(path.parent)} and cannot be downloaded from "
                f"{url} ({_line(error)}); fetch it on another machine and put it there"
            ) from error
    check_digest(path, expected)
    return path


def from_hugging_face(network: str) -> tuple[Path, str]:
    """Find the file of MedicalNet in the cache of Hugging Face, or download it.

    Args:
        network: such as `medicalnet-resnet18`.

    Returns:
        The file, and its name with that of its repository.

    Raises:
        InputError: if the file is missing and cannot be downloaded, or if its SHA-256 is not that
            of its name in the cache.
    """
    import huggingface_hub
    from monai.networks.nets import resnet as monai

    depth = network.rpartition("resnet")[2]
    repository = f"{monai.MEDICALNET_HUGGINGFACE_REPO_BASENAME}{depth}"
    name = f"{monai.MEDICALNET_HUGGINGFACE_FILES_BASENAME}{depth}_23dataset.pth"
    cached = huggingface_hub.try_to_load_from_cache(repository, name)
    try:
        if not isinstance(cached, str):
            cached = huggingface_hub.hf_hub_download(repository, name)
    except (OSError, huggingface_hub.errors.EntryNotFoundError) as error:
        cache = Path(huggingface_hub.constants.HF_HUB_CACHE)
        folder = cache / f"models--{repository.replace('/', '--')}"
        raise InputError(
            f"{name}: is not in {_short(folder)} and cannot be downloaded from "
            f"huggingface.co/{repository} ({_line(error)}); fetch it on another machine and set "
            "pretrain.source to the file, or copy that folder"
        ) from error
    path = Path(cached)
    blob = path.resolve().name
    if HUGGING_FACE_DIGEST.fullmatch(blob):
        check_digest(path, blob)
    return path, f"{repository}/{name}"


def check_digest(path: Path, expected: str) -> None:
    """Raise InputError if the SHA-256 of a file does not begin with the digits `expected`."""
    found = sha256(path)
    if not found.startswith(expected):
        shown = min(len(expected), DIGITS_SHOWN)
        raise InputError(
            f"{_short(path)}: is damaged or another file, its SHA-256 begins with "
            f"{found[:shown]}, expected {expected[:shown]}; delete it to have it downloaded again"
        )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file of weights, as float32.

    A `.safetensors` file contains tensors only. A `.pt` or `.pth` file has to contain a state
    dict, alone or under the key `state_dict`, and no code. The prefix `module.`, which training
    on several GPUs adds, is removed from the names. The counters of BatchNorm are dropped.

    Raises:
        InputError: if the file is missing or damaged, or if it contains something else or
            numbers that are not finite.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "missing"
        raise InputError(f"{path}: is {found}, expected a file of weights")
    tensors = {}
    for name, tensor in _state_dict(path).items():
        if name.endswith("num_batches_tracked"):
            continue
        tensors[name] = tensor.float()
        if not tensors[name].isfinite().all():
            raise InputError(
                f"{path.name}: {name} has NaN or infinite numbers, expected finite ones"
            )
    return tensors


def _state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file under their names in the network."""
    content = _read_content(path)
    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    if not _is_state_dict(content):
        raise InputError(
            f"{path.name}: contains a {type(content).__name__}, "
            "expected a state dict: names and tensors"
        )
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): tensor for name, tensor in content.items()}
    return dict(content)


def _read_content(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, "cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path.name}: cannot be read, it may be cut short ({_line(error)})"
        ) from error
    except Exception as error:  # a damaged file can raise anything in the unpickler
        raise InputError(
            f"{path.name}: contains no state dict that can be read with weights_only "
            f"({_line(error)}); expected a complete file that "
            "torch.save(network.state_dict(), path) wrote"
        ) from error


def _is_state_dict(content: object) -> bool:
    if not isinstance(content, Mapping) or not content:
        return False
    return all(isinstance(tensor, Tensor) for tensor in content.values())


def _short(path: Path) -> str:
    """A path for messages, without the name of the user."""
    if path.is_relative_to(Path.home()):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)


def _line(error: Exception) -> str:
    """The first line of an error, for a message."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(". ")
