"""The device that networks run on, and the switch that makes it give the same bytes every time."""

import os

import torch

from graft.common.files import InputError


def pick_device(name: str) -> torch.device:
    """The device `cpu` or `cuda`; `auto` is the GPU if PyTorch finds one.

    Raises:
        InputError: if `cuda` is asked for and PyTorch finds no GPU.
    """
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InputError(
            "training.device: got 'cuda', but PyTorch finds no GPU here; expected 'auto' or 'cpu'"
        )
    if name == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    return torch.device(name)


def use_deterministic_algorithms() -> None:
    """Let PyTorch run only algorithms that give the same bytes every time, for the whole process.

    An operation that has no such algorithm raises an error from now on.
    """
    # cuBLAS is not deterministic without it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # This equals use_deterministic_algorithms(True), without 2 s to import PyTorch's compiler.
    torch.set_deterministic_debug_mode("error")
    # It would fill all new tensors, which helps only a program that reads them before it writes.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
