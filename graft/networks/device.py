"""The device that networks run on, and what makes results on it reproducible."""

import os

import torch

from graft.common.files import InputError


def pick_device(name: str) -> torch.device:
    """The device `auto`, `cpu` or `cuda`; `auto` is a GPU if there is one.

    Raises InputError if `cuda` is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "training.device: got 'cuda', but PyTorch finds no GPU here; expected 'auto' or 'cpu'"
        )
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda")


def use_deterministic_algorithms() -> None:
    """Let PyTorch use deterministic algorithms only, in the whole process."""
    # cuBLAS is not deterministic without this variable.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # The same as use_deterministic_algorithms(True), without 2 s for importing its compiler.
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.benchmark = False
