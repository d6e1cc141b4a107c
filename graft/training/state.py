"""The state of a training between two epochs, and how a checkpoint saves and restores it."""

import inspect
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graft.training.checkpoint import Checkpoint
from graft.training.settings import Recipe, Training


def _without_compiler(kind: type[torch.optim.Adam]) -> type[torch.optim.Adam]:
    """Make a kind of optimizer that does not import PyTorch's compiler, which takes 1.5 s.

    The methods of PyTorch's optimizers are wrapped for `torch.compile`, which graft does not use.
    """
    names = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


OPTIMIZERS = {
    "adamw": _without_compiler(torch.optim.AdamW),
    "adam": _without_compiler(torch.optim.Adam),
}

Row = dict[str, float]


@dataclass
class State:
    """The state of a training after an epoch.

    Attributes:
        network: as it is after the epoch.
        optimizer: of its parameters.
        best: the weights of the best epoch so far.
        history: a row per epoch, from epoch 0 on.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]
    history: list[Row]


def make_optimizer(
    network: nn.Module,
    recipe: Recipe,
    training: Training,
) -> torch.optim.Optimizer:
    """Make the optimizer of all parameters of a network.

    It updates all of them by one kernel. The learning rate is a tensor on the device of the
    network, so that a step that is captured as a CUDA graph reads it anew.
    """
    optimizer = OPTIMIZERS[training.optimizer]
    device = next(network.parameters()).device
    return optimizer(
        network.parameters(),
        lr=torch.tensor(recipe.lr, device=device),
        weight_decay=training.weight_decay,
        fused=True,
        capturable=device.type == "cuda",
    )


def save_state(state: State, checkpoint: Checkpoint) -> None:
    """Save a state as a checkpoint.

    The names of the tensors are `network.<name>`, `best.<name>` and `optimizer.<k>.<slot>`, where k
    is the position of a parameter.
    """
    tensors = {}
    for name, tensor in state.network.state_dict().items():
        tensors[f"network.{name}"] = tensor
    for name, tensor in state.best.items():
        tensors[f"best.{name}"] = tensor
    for k, slots in state.optimizer.state_dict()["state"].items():
        for slot, tensor in slots.items():
            tensors[f"optimizer.{k}.{slot}"] = tensor
    for name, tensor in tensors.items():
        tensors[name] = tensor.detach().cpu().contiguous()
    checkpoint.save(tensors, {"history": state.history})


def restore_state(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    checkpoint: Checkpoint,
) -> State | None:
    """Restore what `save_state` saved into `network` and `optimizer`; None if nothing is saved."""
    saved = checkpoint.load()
    if saved is None:
        return None
    tensors, progress = saved
    device = next(network.parameters()).device
    weights = {}
    best = {}
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "network":
            weights[rest] = tensor
        elif kind == "best":
            best[rest] = tensor.to(device)
        else:
            k, _, slot = rest.partition(".")
            slots_of_parameter = slots.setdefault(int(k), {})
            slots_of_parameter[slot] = tensor
    network.load_state_dict(weights)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
    return State(network, optimizer, best, progress["history"])
