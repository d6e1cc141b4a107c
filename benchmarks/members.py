"""The members of a bag, trained one by one or together under `torch.func.vmap`.

    python -m benchmarks.members

Times one training step (forward, backward, optimizer) of all members with the network and batch
of params.yaml, both ways on the same batches, and checks that both give the same gradients.
Drawing the batches, augmentation and penalties cost the same either way and are left out. Runs on
the CPU, and on the GPU if there is one. Takes about 20 seconds.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from benchmarks.comparison import Comparison, report
from benchmarks.timing import median_seconds
from graft.config.parameters import Parameters, load_parameters
from graft.console import run
from graft.networks.build import build_network
from graft.networks.device import use_deterministic_algorithms

PARAMETERS = Path(__file__).parents[1] / "params.yaml"
STEPS = 10
TOLERANCE = 1e-3  # of a tensor's largest gradient; sums in another order differ by less

Tensors = dict[str, Tensor]  # parameters or gradients by the name of the parameter


def main() -> None:
    """Time a training step of all members, one by one and together."""
    use_deterministic_algorithms()
    compare_on_device(torch.device("cpu"))
    if torch.cuda.is_available():
        compare_on_device(torch.device("cuda"))


def compare_on_device(device: torch.device) -> None:
    """Print how long a step takes each way; exit with status 1 if the gradients differ."""
    parameters = load_parameters(PARAMETERS)
    members = build_members(parameters, device)
    images, labels = draw_batches(parameters, device)
    difference = largest_difference(members, images, labels)
    in_turn = time_in_turn(members, images, labels)
    together = time_together(members, images, labels)
    what = f"step of {len(members)} members one by one, batch of {images.shape[1]}, {device}"
    threads = f"threads: {torch.get_num_threads()}"
    note = f"{threads}; gradients differ by at most {difference:.0e} of the largest"
    peer = "together under torch.func.vmap"
    report(Comparison(what, "ms", in_turn * 1e3, peer, together * 1e3, note=note))
    if difference > TOLERANCE:
        sys.exit(f"error: the gradients differ by {difference:.1e}, expected at most {TOLERANCE:g}")


def build_members(parameters: Parameters, device: torch.device) -> list[nn.Module]:
    """Return the networks of a bag, each with its own initial weights."""
    members = []
    for seed in range(parameters.ensemble.members):
        network = build_network(
            parameters.network.name,
            patch=parameters.preprocess.patch,
            channels=1,
            classes=2,
            width=parameters.network.width,
            seed=seed,
        )
        members.append(network.to(device))
    return members


def draw_batches(parameters: Parameters, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return random images (K, B, C, *spatial) and labels (K, B), a batch for each of K members."""
    members = parameters.ensemble.members
    # A batch has the samples and their transforms, as in graft.training.epoch.
    size = parameters.training.batch * (1 + parameters.ensemble.transforms)
    random = torch.Generator().manual_seed(0)
    images = torch.rand(members, size, 1, *parameters.preprocess.patch, generator=random)
    labels = torch.randint(2, (members, size), generator=random)
    return images.to(device), labels.to(device)


def largest_difference(members: list[nn.Module], images: Tensor, labels: Tensor) -> float:
    """Return the largest difference of a gradient, relative to the largest of its tensor."""
    stacked, _ = stack_module_state(members)
    together = stacked_gradients(members[0])(stacked, images, labels)
    in_turn = []
    for member, member_images, member_labels in zip(members, images, labels, strict=True):
        in_turn.append(member_gradients(member, member_images, member_labels))
    largest = 0.0
    for name, found in together.items():
        expected = torch.stack([gradients[name] for gradients in in_turn])
        difference = (found - expected).abs().max()
        relative = difference / expected.abs().max()
        largest = max(largest, float(relative))
    return largest


def time_in_turn(members: list[nn.Module], images: Tensor, labels: Tensor) -> float:
    """Return the median seconds of a step of all members, one after the other."""
    optimizers = [torch.optim.AdamW(member.parameters()) for member in members]

    def step() -> None:
        for member, optimizer, member_images, member_labels in zip(
            members, optimizers, images, labels, strict=True
        ):
            member_gradients(member, member_images, member_labels)
            optimizer.step()
        _wait_for(images.device)

    return median_seconds(step, STEPS)


def time_together(members: list[nn.Module], images: Tensor, labels: Tensor) -> float:
    """Return the median seconds of a step of all members under vmap."""
    stacked, _ = stack_module_state(members)
    optimizer = torch.optim.AdamW(stacked.values())
    gradients = stacked_gradients(members[0])

    def step() -> None:
        for name, found in gradients(stacked, images, labels).items():
            stacked[name].grad = found
        optimizer.step()
        _wait_for(images.device)

    return median_seconds(step, STEPS)


def member_gradients(member: nn.Module, images: Tensor, labels: Tensor) -> Tensors:
    """Return the gradient of a member's loss by name, and leave it on the member's parameters."""
    member.zero_grad()
    functional.cross_entropy(member(images), labels).backward()
    gradients = {}
    for name, parameter in member.named_parameters():
        assert parameter.grad is not None
        gradients[name] = parameter.grad
    return gradients


def stacked_gradients(member: nn.Module) -> Callable[[Tensors, Tensor, Tensor], Tensors]:
    """Return a function that computes the gradients of K networks built like `member`.

    It takes their stacked parameters (K, *shape) and their batches (K, B, ...).
    """

    def loss(parameters: Tensors, images: Tensor, labels: Tensor) -> Tensor:
        logits = functional_call(member, parameters, (images,))
        return functional.cross_entropy(logits, labels)

    def gradients(stacked: Tensors, images: Tensor, labels: Tensor) -> Tensors:
        # Detached, because autograd would otherwise also record how the gradients are computed.
        detached = {name: tensor.detach() for name, tensor in stacked.items()}
        return vmap(grad(loss))(detached, images, labels)

    return gradients


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    run(main)
