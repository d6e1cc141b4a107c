"""Members of a bag: trained one after the other, as stages/ensemble.py does, or together under `torch.func.vmap`.

    python -m benchmarks.members

Times one training step (forward, backward, optimizer) of all members of the network and batch of params.yaml, both
ways on the same batches, and checks that both give the same gradients. Drawing the batches, augmentation and penalties
cost the same either way and are left out. Runs on the CPU, and on the GPU where there is one. Takes about 20 seconds.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F

from graft.config.parameters import load_parameters
from graft.console import run, say
from graft.networks.build import build_network
from graft.networks.device import pick_device, use_deterministic_algorithms

STEPS = 10  # timed, after one that is not
TOLERANCE = 1e-3  # of the largest gradient of a tensor; sums in another order differ by less


def main() -> None:
    use_deterministic_algorithms()
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        compare(pick_device(device))


def compare(device: torch.device) -> None:
    """Say how long a step of all members takes each way on a device; exit with 1 where the gradients differ."""
    parameters = load_parameters(Path("params.yaml"))
    recipe, training = parameters.ensemble, parameters.training
    network, shape = parameters.network, parameters.preprocess
    architecture = {
        "name": network.name,
        "patch": shape.patch,
        "channels": 1,
        "classes": 2,
        "width": network.width,
    }
    members = [build_network(**architecture, seed=k).to(device) for k in range(recipe.members)]
    size = training.batch * (
        1 + recipe.transforms
    )  # the batch and its transforms, as graft.training.loop has them
    random = torch.Generator().manual_seed(0)
    images = torch.rand(len(members), size, 1, *shape.patch, generator=random).to(
        device
    )  # (K, B, C, *spatial)
    labels = torch.randint(2, (len(members), size), generator=random).to(device)  # (K, B)

    stacked, _ = stack_module_state(members)
    gradients = together(members[0])(stacked, images, labels)
    alone = [one(member, *batch) for member, *batch in zip(members, images, labels)]
    difference = max(
        _difference(gradients[name], torch.stack([g[name] for g in alone])) for name in gradients
    )

    optimizers = [torch.optim.AdamW(member.parameters()) for member in members]
    after = _time(lambda: _step_after(members, optimizers, images, labels), device)
    optimizer = torch.optim.AdamW(stacked.values())
    beside = _time(
        lambda: _step_together(together(members[0]), stacked, optimizer, images, labels), device
    )
    say(
        f"{device}, {torch.get_num_threads()} threads: {len(members)} members of {network.name}, batches of {size}"
    )
    say(f"  one after the other {after * 1e3:9.1f} ms a step")
    say(f"  together (vmap)     {beside * 1e3:9.1f} ms a step, {after / beside:.2f} times as fast")
    say(f"  gradients differ by {difference:.1e} of the largest at most")
    if difference > TOLERANCE:
        sys.exit(f"error: the gradients differ by {difference:.1e}, expected at most {TOLERANCE:g}")


def one(member: nn.Module, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The gradient of one member's loss, by name, left on its parameters too."""
    member.zero_grad()
    F.cross_entropy(member(images), labels).backward()
    return {name: parameter.grad for name, parameter in member.named_parameters()}


def together(member: nn.Module) -> Callable[[dict[str, Tensor], Tensor, Tensor], dict[str, Tensor]]:
    """Maps the parameters (K, *shape) and batches (K, B, ...) of K members like this one to their gradients."""

    def loss(parameters: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(member, parameters, (images,)), labels)

    gradients = vmap(grad(loss))
    # Detached, as autograd would record the way to the gradients too and take longer.
    return lambda stacked, *batch: gradients(
        {name: tensor.detach() for name, tensor in stacked.items()}, *batch
    )


def _step_after(
    members: list[nn.Module],
    optimizers: list[torch.optim.Optimizer],
    images: Tensor,
    labels: Tensor,
) -> None:
    for member, optimizer, *batch in zip(members, optimizers, images, labels):
        one(member, *batch)
        optimizer.step()


def _step_together(
    gradient: Callable,
    stacked: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
) -> None:
    for name, found in gradient(stacked, images, labels).items():
        stacked[name].grad = found
    optimizer.step()


def _time(step: Callable[[], None], device: torch.device) -> float:
    """Median seconds of a step."""
    seconds = []
    for _ in range(1 + STEPS):
        began = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return median(seconds[1:])


def _difference(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


if __name__ == "__main__":
    run(main)
