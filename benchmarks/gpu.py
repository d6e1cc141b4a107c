"""Training on a GPU: its speed against MONAI and against the limits of the GPU, and its bytes.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --device cpu    # everything at a small size, to test this program

Trains the default network on random patches of 32³ voxels with one transform of each, in batches of
8 to 512. An image through the network counts as a sample, so that graft trains on two samples for
each patch, and MONAI's usual loop on one. The limits of the device are measured in the same run: a
matrix product for its FLOP/s, in TF32 as cuDNN's convolutions may use it, and a copy for its
bandwidth. The default network needs 73 MFLOP and 4 MB of traffic for a sample. Then it trains twice
and compares the bytes of the weights, with status 1 if one differs.

It runs on a bare machine. It needs torch, numpy, pandas, pydantic, safetensors and ruamel.yaml, but
neither DVC nor Prefect. Without MONAI that column is empty.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.trainings import (
    default_network,
    make_epochs,
    random_samples,
    read_parameters,
    weights_of,
)
from graft.console import say
from graft.data.task import Samples
from graft.networks.device import use_deterministic_algorithms
from graft.training.settings import Augment

FLOP_OF_SAMPLE = 73e6
BYTES_OF_SAMPLE = 4e6
BATCHES = {"cuda": (8, 32, 128, 512), "cpu": (8, 16)}
PATCHES = {"cuda": 4096, "cpu": 80}  # in an epoch; an epoch has more steps than the warm-up
PATCHES_OF_MONAI = 1024  # at most: its workers transform some 100 patches per second
SIDES = {"cuda": 8192, "cpu": 512}  # of the matrices
COPIED_BYTES = {"cuda": 2**30, "cpu": 2**25}
EPOCHS = 3  # timed
AIM = 50_000  # samples per second on an H100


def main() -> None:
    """Measure the limits of the device, then train with each batch size, then compare bytes."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    kind = options.parse_args().device
    if kind == "cuda" and not torch.cuda.is_available():
        sys.exit("error: PyTorch finds no GPU here; --device cpu tests this program without one")
    use_deterministic_algorithms()
    device = torch.device(kind)
    flops = measure_flops(device, SIDES[kind])
    bandwidth = measure_bandwidth(device, COPIED_BYTES[kind])
    limit = min(flops / FLOP_OF_SAMPLE, bandwidth / BYTES_OF_SAMPLE)
    name = torch.cuda.get_device_name() if kind == "cuda" else "CPU"
    say(
        f"{name}: {flops / 1e12:.3g} TFLOP/s, {bandwidth / 1e9:.3g} GB/s, torch {torch.__version__}"
    )
    say(f"these limit the training to {limit:,.0f} samples/s")
    with_monai = has_monai()
    if not with_monai:
        say("MONAI is not installed, so its column is empty")
    measure_batches(random_samples(PATCHES[kind], device), BATCHES[kind], limit, with_monai)
    compare_bytes(random_samples(PATCHES[kind], device))


def has_monai() -> bool:
    """Return whether MONAI can be imported."""
    try:
        import monai  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def measure_batches(
    samples: Samples, batches: tuple[int, ...], limit: float, with_monai: bool
) -> None:
    """Print the samples per second for each batch size, and report the largest batch."""
    head = ("batch", "graft, samples/s", "share of the limit", "MONAI, samples/s", "ratio")
    for line in markdown_head(*head):
        say(line)
    for batch in batches:
        by_graft = graft_speed(samples, batch)
        by_monai = monai_speed(samples, batch) if with_monai else None
        monai = "" if by_monai is None else f"{by_monai:,.0f}"
        ratio = "" if by_monai is None else f"{by_graft / by_monai:.1f}"
        share = f"{by_graft / limit:.1%}"
        say(markdown_row(str(batch), f"{by_graft:,.0f}", share, monai, ratio))
    report(
        Comparison(
            what=f"training in batches of {batch}, on {samples.labels.device.type}",
            unit="samples/s",
            graft=by_graft,
            peer="MONAI CacheDataset, 2 workers",
            of_peer=by_monai,
            more_is_better=True,
            bound=AIM if samples.labels.device.type == "cuda" else None,
            note="" if with_monai else "MONAI is not installed",
        )
    )


def graft_speed(samples: Samples, batch: int) -> float:
    """Return the images per second that pass through the network in graft's training."""
    training = make_epochs(samples, batch, transforms=1)
    training.run(1)  # warms up and captures the graph
    seconds = _seconds_of(lambda: [training.run(epoch) for epoch in range(2, EPOCHS + 2)])
    return 2 * len(samples) * EPOCHS / seconds


def monai_speed(samples: Samples, batch: int) -> float:
    """Return the images per second that pass through the network in MONAI's usual loop."""
    from benchmarks.monai_training import make_monai_epoch  # late: MONAI may be missing

    samples = samples.take(np.arange(min(len(samples), PATCHES_OF_MONAI)))
    device = samples.labels.device
    limits = Augment(**read_parameters()["augment"])
    train = make_monai_epoch(default_network(device), samples, limits, batch)
    train()

    def epoch() -> None:
        train()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return len(samples) / _seconds_of(epoch)


def compare_bytes(samples: Samples) -> None:
    """Train twice, print the digests of the weights, and exit with status 1 if they differ."""
    digests = []
    for _ in range(2):
        training = make_epochs(samples, read_parameters()["training"]["batch"], transforms=1)
        for epoch in (1, 2):
            training.run(epoch)
        digest = hashlib.sha256()
        for weight in weights_of(training):
            digest.update(weight.numpy().tobytes())
        digests.append(digest.hexdigest())
    say(f"weights of two trainings: {digests[0][:16]} and {digests[1][:16]}")
    if digests[0] != digests[1]:
        sys.exit("error: two equal trainings have different weights, expected the same bytes")
    say("both trainings gave the same bytes")


def measure_flops(device: torch.device, side: int) -> float:
    """Return the FLOP/s of a product of two float32 matrices, in TF32 on a GPU."""
    torch.backends.cuda.matmul.allow_tf32 = True
    one = torch.rand(side, side, device=device)
    seconds = _device_seconds(device, lambda: one @ one)
    torch.backends.cuda.matmul.allow_tf32 = False
    return 2 * side**3 / seconds


def measure_bandwidth(device: torch.device, count: int) -> float:
    """Return the bytes per second that a copy of so many bytes reads and writes."""
    source = torch.zeros(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * count / _device_seconds(device, lambda: target.copy_(source))


def _device_seconds(device: torch.device, call: Callable[[], object], repeats: int = 20) -> float:
    """The seconds of one call, as the mean of several, after three that are not timed."""

    def several(times: int) -> None:
        for _ in range(times):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize()

    several(3)
    return _seconds_of(lambda: several(repeats)) / repeats


def _seconds_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
