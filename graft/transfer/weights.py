"""Weights that somebody else has learnt: where their file lies, that it is whole, and what is in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from graft.common.files import InputError, sha256
from graft.networks.published import published_weights

OF_TORCH = re.compile(
    r"-([a-f0-9]{8,})\.\w+$"
)  # torch.hub: a file's name ends in the first digits of its SHA-256
OF_HUB = re.compile(
    r"[a-f0-9]{64}"
)  # Hugging Face: a large file in the cache is called by its SHA-256


@dataclass(frozen=True)
class Weights:
    """A whole file of weights: its tensors by name, and what a card says of it."""

    tensors: dict[str, Tensor]
    about: dict[str, str]

    @property
    def title(self) -> str:
        """What a message calls them."""
        return self.about.get("weights") or self.about["file"]


def find_weights(source: str, network: str) -> Weights:
    """The weights that `pretrain.source` names, for `network.name`; published ones are downloaded, once.

    Raises InputError where the file is missing and cannot be downloaded, is damaged, or holds something else.
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
    """The file of a published address in the cache of `torch.hub`, whole.

    Raises InputError where it is missing and cannot be downloaded, and where its SHA-256 is not that of its name.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    expected = OF_TORCH.search(path.name)[1]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), expected, progress=False)
        except (OSError, RuntimeError) as error:  # RuntimeError: what came has another SHA-256
            raise InputError(
                f"{path.name}: is not in {_short(path.parent)} and cannot be downloaded from {url} ({_line(error)}); "
                "fetch it on another machine and put it there"
            ) from error
    check_digest(path, expected)
    return path


def from_hugging_face(network: str) -> tuple[Path, str]:
    """The file of MedicalNet for `medicalnet-resnet18` in the cache of Hugging Face, whole, and its full name.

    Raises InputError where it is missing and cannot be downloaded, and where its SHA-256 is not that of its name.
    """
    import huggingface_hub
    from monai.networks.nets import resnet as monai

    depth = network.rpartition("resnet")[2]
    repository = f"{monai.MEDICALNET_HUGGINGFACE_REPO_BASENAME}{depth}"
    name = f"{monai.MEDICALNET_HUGGINGFACE_FILES_BASENAME}{depth}_23dataset.pth"
    cached = huggingface_hub.try_to_load_from_cache(repository, name)
    try:
        path = Path(
            cached if isinstance(cached, str) else huggingface_hub.hf_hub_download(repository, name)
        )
    except (OSError, huggingface_hub.errors.EntryNotFoundError) as error:
        folder = Path(huggingface_hub.constants.HF_HUB_CACHE)
        raise InputError(
            f"{name}: is not in {_short(folder / f'models--{repository}'.replace('/', '--'))} and cannot be downloaded "
            f"from huggingface.co/{repository} ({_line(error)}); fetch it on another machine and name the file itself "
            "as pretrain.source, or copy that folder"
        ) from error
    if OF_HUB.fullmatch(path.resolve().name):
        check_digest(path, path.resolve().name)
    return path, f"{repository}/{name}"


def check_digest(path: Path, expected: str) -> None:
    """Raise InputError where the SHA-256 of a file does not begin with the digits `expected`."""
    if not (found := sha256(path)).startswith(expected):
        raise InputError(
            f"{_short(path)}: is damaged or another file, its SHA-256 begins with {found[: min(len(expected), 12)]}, "
            f"expected {expected[:12]}; delete it, and it is fetched anew"
        )


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, or of a `.pt` or `.pth` that holds a state dict and nothing that can run.

    A state dict under the key `state_dict` is taken out of there; the prefix `module.` that training on several
    GPUs leaves, and the counters of BatchNorm, are dropped.

    Raises InputError where the file is missing or damaged, or holds something else or numbers that are not finite.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: is {'a folder' if path.is_dir() else 'missing'}, expected a file of weights"
        )
    try:
        content = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, "cpu", weights_only=True)
        )
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path.name}: cannot be read, it may be cut short ({_line(error)})"
        ) from error
    except Exception as error:  # whatever a damaged file makes of the unpickler
        raise InputError(
            f"{path.name}: holds no state dict that can be read with weights_only ({_line(error)}); expected what "
            "torch.save(network.state_dict(), path) writes, whole"
        ) from error
    content = content.get("state_dict", content) if isinstance(content, Mapping) else content
    if not (
        isinstance(content, Mapping)
        and content
        and all(isinstance(t, Tensor) for t in content.values())
    ):
        raise InputError(
            f"{path.name}: holds a {type(content).__name__}, expected a state dict: names and tensors"
        )
    if all(name.startswith("module.") for name in content):
        content = {name.removeprefix("module."): tensor for name, tensor in content.items()}
    tensors = {
        name: tensor.float()
        for name, tensor in content.items()
        if not name.endswith("num_batches_tracked")
    }
    if spoilt := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise InputError(
            f"{path.name}: {spoilt[0]} has NaN or infinite numbers, expected finite ones"
        )
    return tensors


def _short(path: Path) -> str:
    """A path without the name of the user."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")
