"""Read the tensors of a file of weights. Nothing in the file is run, and nothing is inflated."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from graft.common.files import InputError, check_regular_file
from graft.common.shown import first_line, shown, shown_key

# What the unpickler of torch.load refuses: `GLOBAL os.system`, or an instruction that it lacks.
FORBIDDEN_CODE = re.compile(r"GLOBAL ([\w.]+)")
EXPECTED = (
    "expected a .safetensors file or a state dict: names and tensors, as "
    "torch.save(network.state_dict(), path) writes them"
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
    check_regular_file(path)
    _check_members(path)
    size = path.stat().st_size
    tensors = {}
    for name, tensor in _state_dict(path).items():
        if not name.endswith("num_batches_tracked"):
            tensors[name] = _checked(tensor, f"{path.name}: {shown_key(name)}", size)
    return tensors


def _check_members(path: Path) -> None:
    """Raise InputError if a zip file, as PyTorch writes it, inflates to more than its size."""
    if path.suffix == ".safetensors" or not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read, it may be cut short ({error})") from error
    if claimed > path.stat().st_size:
        raise InputError(
            f"{path.name}: its content claims {claimed:,} bytes, expected no more than the "
            f"{path.stat().st_size:,} of the file, as PyTorch writes it"
        )


def _checked(tensor: Tensor, where: str, size: int) -> Tensor:
    """A tensor of a file of `size` bytes, as float32."""
    is_dense = tensor.layout == torch.strided and tensor.device.type == "cpu"
    if not is_dense or not tensor.is_floating_point():
        found = "a tensor without values" if tensor.is_meta else str(tensor.dtype)
        raise InputError(f"{where} is {found} ({tensor.layout}), expected real numbers")
    claimed = tensor.numel() * tensor.element_size()
    if claimed > size:  # one number can be repeated without end
        raise InputError(
            f"{where} claims {claimed:,} bytes, expected no more than the {size:,} of the file"
        )
    numbers = tensor.float()
    if not numbers.isfinite().all():
        raise InputError(f"{where} has NaN or infinite numbers, expected finite ones")
    return numbers


def _state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file under their names in the network."""
    content = _read_content(path)
    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    if not isinstance(content, Mapping):
        raise InputError(f"{path.name}: contains a {type(content).__name__}, {EXPECTED}")
    if not content:
        raise InputError(f"{path.name}: contains no tensor, {EXPECTED}")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            found = f"{shown(name)} with a {type(tensor).__name__}"
            raise InputError(f"{path.name}: contains {found}, {EXPECTED}")
    if all(name.startswith("module.") for name in content):
        return {name.removeprefix("module."): tensor for name, tensor in content.items()}
    return dict(content)


def _read_content(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings(action="ignore"):  # about a pickle that is refused anyway
            return torch.load(path, "cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path.name}: cannot be read, it may be cut short ({first_line(error)})"
        ) from error
    except Exception as error:  # a damaged file can raise anything in the unpickler
        raise InputError(f"{path.name}: {_reason(error)}, {EXPECTED}") from error


def _reason(error: Exception) -> str:
    """Why a file cannot be read. PyTorch's own message advises to run the code in it."""
    text = str(error)
    if code := FORBIDDEN_CODE.search(text):
        return f"is a pickle that contains code or objects ({code[1]}), which graft does not run"
    if "weights_only" in text:
        return "is a pickle that contains more than tensors, or is damaged"
    return f"is damaged or no file of weights ({first_line(error)})"
