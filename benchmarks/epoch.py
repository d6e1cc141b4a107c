"""An epoch of training with augmentation, without it, and with MONAI's transforms.

    OMP_NUM_THREADS=1 python -m benchmarks.epoch

Trains the default network on 500 random patches of 32³ voxels in batches of 8. graft trains with
one thread in this process. MONAI's `CacheDataset` and random transforms run in two workers of a
`DataLoader` beside the network, which has one thread too. The epochs alternate, and the table has
the median of each kind.

An augmented epoch of graft trains on each patch and on its transform, so that the network sees
twice as many images as in a plain epoch, and twice as many as in MONAI's. Both comparisons are
reported: per epoch, and per image through the network. Takes about a minute.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Annotated

import torch
import typer

from benchmarks.comparison import Comparison, report
from benchmarks.monai_training import make_monai_epoch
from benchmarks.trainings import default_network, make_epochs, random_samples, read_parameters
from graft.console import run
from graft.networks.device import use_deterministic_algorithms
from graft.training.settings import Augment

MOST_OF_PLAIN = 1.4  # times a plain epoch, at most
FASTER_THAN_MONAI = 4  # times, at least
CPU = torch.device("cpu")


def main(
    lesions: Annotated[int, typer.Option(help="patches in an epoch")] = 500,
    epochs: Annotated[int, typer.Option(help="timed epochs of each kind")] = 5,
) -> None:
    """Time the epochs of graft and of MONAI in turn."""
    torch.set_num_threads(1)
    parameters = read_parameters()
    limits = Augment(**parameters["augment"])
    batch = parameters["training"]["batch"]
    samples = random_samples(lesions, CPU)
    monai = make_monai_epoch(default_network(CPU), samples, limits, batch)
    monai()  # fills the cache and starts the workers
    use_deterministic_algorithms()
    plain = make_epochs(samples, batch, transforms=0)
    augmented = make_epochs(samples, batch, transforms=1)
    seconds: dict[str, list[float]] = {"plain": [], "augmented": [], "monai": []}
    plain.run(1)
    augmented.run(1)
    for epoch in range(2, epochs + 2):
        seconds["plain"].append(_seconds_of(lambda number=epoch: plain.run(number)))
        seconds["augmented"].append(_seconds_of(lambda number=epoch: augmented.run(number)))
        seconds["monai"].append(_seconds_of(monai))
    report_all(lesions, {kind: median(found) for kind, found in seconds.items()})


def report_all(lesions: int, seconds: dict[str, float]) -> None:
    """Report the epochs of each kind, per epoch and per image through the network."""
    plain, augmented, monai = seconds["plain"], seconds["augmented"], seconds["monai"]
    loader = "MONAI CacheDataset, 2 workers"
    epoch = f"augmented epoch of {lesions} patches of 32³"
    image = "augmented training, per image through the network"
    per_image = augmented / lesions / 2 * 1e3
    report(
        Comparison(epoch, "s", augmented, "graft without augmentation, half as many images", plain)
    )
    report(
        Comparison(
            image,
            "ms",
            per_image,
            "graft without augmentation",
            plain / lesions * 1e3,
            bound=MOST_OF_PLAIN * plain / lesions * 1e3,
        )
    )
    report(Comparison(epoch, "s", augmented, f"{loader}, half as many images", monai))
    report(
        Comparison(
            image, "ms", per_image, loader, monai / lesions * 1e3, least_ratio=FASTER_THAN_MONAI
        )
    )


def _seconds_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    run(main)
