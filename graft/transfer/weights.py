"""Weights that were trained elsewhere: find their file, and check it."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor

from graft.common.files import InputError, sha256
from graft.common.shown import first_line
from graft.networks.published import published_weights
from graft.networks.saved import Model
from graft.transfer.settings import SELF_SUPERVISED
from graft.transfer.state_dict import read_weights

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


def weights_of_model(model: Model, folder: Path) -> Weights:
    """The weights of a model that graft trained without labels, as those of a file.

    Args:
        model: of one network.
        folder: where it lies.
    """
    about = {"source": SELF_SUPERVISED, "file": folder.name}
    return Weights(
        model.networks[0].saved_tensors(), {**about, "sha256": model.card["weights_sha256"]}
    )


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
                f"{url} ({first_line(error)}); fetch it on another machine and put it there"
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
            f"huggingface.co/{repository} ({first_line(error)}); fetch it on another machine and "
            "set pretrain.source to the file, or copy that folder"
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


def _short(path: Path) -> str:
    """A path for messages, without the name of the user."""
    if path.is_relative_to(Path.home()):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)
