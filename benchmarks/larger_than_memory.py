"""A domain of 100 GB: read, verified, split, trained on and predicted in little memory.

    python -m benchmarks.larger_than_memory

The images are a sparse file, which needs almost no disk space, with random patches where the
training reads. Prints the time and the largest resident memory of each step, and how much of it is
pages of files afterwards. Then it trains on the same patches from the file and from memory,
compares the weights and the time of an epoch, and ends with status 1 if a weight differs. The
patches are in the page cache by then. Takes about 7 minutes.
"""

import hashlib
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, TypeVar

import numpy as np
import pandas as pd
import torch
import typer

from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.files import FILES, sha256, write_sealed
from graft.config.parameters import Parameters, load_parameters
from graft.console import run, say
from graft.data.domain import COLUMNS, DOCUMENT, Domain
from graft.data.settings import SplitRules
from graft.data.split import assign_parts, write_split
from graft.data.task import Task, read_task
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.networks.build import architecture_for, build_network
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import Model
from graft.training.checkpoint import Checkpoint
from graft.training.loop import fit_network
from graft.training.plan import Plan
from graft.training.state import Row

PARAMETERS = Path(__file__).parents[1] / "params.yaml"
CLASSES = ["benign", "malignant"]
PATCH = (64, 64, 64)  # voxels, 512 KiB
LESIONS_OF_PATIENT = 2
BOUND_GB = 3.0
MOST_SLOWER = 1.1  # an epoch from the file
EPOCHS = 6  # the first is not timed

SMALL_SHARE = 0.01  # of free memory: less than all patches need
LARGE_SHARE = 0.9  # more than few patches need
PEAKS: list[float] = []  # GB of resident memory, of each step

Result = TypeVar("Result")


@dataclass(frozen=True)
class Place:
    """The files of the benchmark in one folder."""

    root: Path

    @property
    def domain(self) -> Path:
        """The processed domain."""
        return self.root / "large"

    @property
    def records(self) -> Path:
        """The records of verified files."""
        return self.root / "verified"

    @property
    def all_labels(self) -> Path:
        """The split in which every label is used."""
        return self.root / "all.csv"

    @property
    def few_labels(self) -> Path:
        """The split in which few labels are used."""
        return self.root / "few.csv"


def main(
    gigabytes: Annotated[float, typer.Option(help="size of the images")] = 100.0,
    lesions: Annotated[int, typer.Option(help="lesions to train and validate on")] = 100,
) -> None:
    """Run all steps on a domain of this size; compare training from the file and from memory."""
    use_deterministic_algorithms()
    torch.set_num_threads(1)
    count = round(gigabytes * 1e9 / (2 * math.prod(PATCH)))
    say(f"{count} lesions of {' x '.join(map(str, PATCH))}, {gigabytes:g} GB of images")
    for line in markdown_head("step", "s", "peak of resident memory, GB", "mapped files, GB"):
        say(line)
    root = Path(tempfile.mkdtemp(prefix="graft-large-"))
    try:
        write_large_domain(Place(root), count, lesions)
        run_steps(Place(root), gigabytes)
    finally:
        shutil.rmtree(root)


def run_steps(place: Place, gigabytes: float) -> None:
    """Run and report every step that reads the domain."""
    parameters = load_parameters(PARAMETERS)
    measured("read and verify", lambda: Domain.read(place.domain, place.records))
    measured("read again", lambda: Domain.read(place.domain, place.records))
    everything = measured("task of all patches", lambda: take(place.all_labels, place, SMALL_SHARE))
    measured("digest of that task", everything.sha256)
    few = take(place.few_labels, place, 0.0)
    from_file = measured("train on few of them", lambda: train(few, parameters, place.root))
    target = measured("read to evaluate", lambda: evaluated(place))
    measured("predict", lambda: target.assess(from_file.model))
    what = f"resident memory with {gigabytes:g} GB of images"
    report(Comparison(what, "GB", max(PEAKS), "all images", gigabytes, bound=BOUND_GB))
    few = take(place.few_labels, place, LARGE_SHARE)
    assert isinstance(few.train.images, torch.Tensor), "few patches fit into memory"
    in_memory = train(few, parameters, place.root)
    compare(from_file, in_memory)


def evaluated(place: Place) -> EvaluatedDomain:
    """Read the domain as the evaluation does."""
    return EvaluatedDomain.from_files(place.domain, place.few_labels, 100, 0, place.records)


def compare(from_file: "Trained", in_memory: "Trained") -> None:
    """Report the times of an epoch; exit with status 1 if the weights differ."""
    report(
        Comparison(
            "epoch on patches in a file",
            "s",
            median(from_file.seconds),
            "in memory",
            median(in_memory.seconds),
            least_ratio=1 / MOST_SLOWER,
        )
    )
    one, other = (trained.model.networks[0].state_dict() for trained in (from_file, in_memory))
    if not all(torch.equal(one[name], other[name]) for name in one):
        sys.exit("error: training from the file and from memory gave different weights")
    say("training from the file and from memory gave the same weights")


def write_large_domain(place: Place, count: int, lesions: int) -> None:
    """Write a domain whose patches are 0 except where the split with few labels uses them."""
    place.domain.mkdir()
    index = make_index(count)
    index.to_csv(place.domain / "index.csv", index=False)
    measured("split", lambda: split(place.all_labels, index, 1.0))
    labelled = lesions / count
    parts = split(place.few_labels, index, labelled)
    used = np.flatnonzero(parts.isin(["train", "validation"]))
    images = np.lib.format.open_memmap(
        place.domain / "images.npy", "w+", np.float16, (count, 1, *PATCH)
    )
    random = np.random.default_rng(0)
    for row in used:
        images[row] = random.random((1, *PATCH), np.float32) / 2
        if index["label"][row] == CLASSES[1]:
            images[row, :, 16:48, 16:48, 16:48] += np.float16(0.2)
    images.flush()
    files = {
        "images.npy": sparse_sha256(place.domain / "images.npy", images, set(used)),
        "index.csv": sha256(place.domain / "index.csv"),
    }
    about = {"name": "large", "classes": CLASSES, "spacing": [1.0, 1.0, 1.0], FILES: files}
    write_sealed(place.domain / DOCUMENT, about)


def sparse_sha256(path: Path, images: np.memmap, used: set[int]) -> str:
    """Return the SHA-256 of a file of images that are 0 unless used. Only those are read."""
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(images.offset))
    unused = bytes(images[0].nbytes)
    for row in range(len(images)):
        digest.update(images[row].tobytes() if row in used else unused)
    return digest.hexdigest()


def make_index(count: int) -> pd.DataFrame:
    """Return the index of a domain, in which patients have LESIONS_OF_PATIENT lesions."""
    numbers = np.arange(count)
    patients = numbers // LESIONS_OF_PATIENT
    columns = {
        "sample": numbers,
        "patient": [f"p{patient:012}" for patient in patients],
        "label": np.array(CLASSES)[patients % len(CLASSES)],
        "site": "",
        "split": "",
        "origin": [f"manifest.csv:{number + 2}" for number in numbers],
        "size": 5.0,
        "hash": [hashlib.sha256(str(number).encode()).hexdigest()[:16] for number in numbers],
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))


def split(path: Path, index: pd.DataFrame, labelled: float) -> pd.Series:
    """Write a split in which a share of the labels is used, and return the parts."""
    rules = SplitRules(
        external=None, labelled=labelled, validation=0.2, folds=5, test=0.005, duplicates="refuse"
    )
    parts = assign_parts("large", index, CLASSES, rules, seed=0)
    write_split(path, parts, index)
    return parts


def take(split_file: Path, place: Place, memory: float) -> Task:
    """Read the task of a split, with a share of memory for its patches."""
    device = pick_device("auto")
    return read_task(place.domain, split_file, device, memory=memory, records=place.records)


@dataclass
class Trained:
    """A trained model, and the seconds of each epoch but the first."""

    model: Model
    seconds: list[float]


def train(task: Task, parameters: Parameters, checkpoints: Path) -> Trained:
    """Train the network of params.yaml for EPOCHS epochs."""
    device = task.train.labels.device
    architecture = architecture_for(parameters.network, task.domain)
    network = build_network(**architecture, seed=0).to(device)
    recipe = parameters.pretrain.model_copy(update={"epochs": EPOCHS, "patience": EPOCHS})
    plan = Plan(recipe, parameters.training, parameters.augment, 0, "large", checkpoints)
    ends = []

    def log(row: Row) -> None:
        ends.append(time.perf_counter())

    folder = Path(tempfile.mkdtemp(dir=checkpoints))
    fit_network(network, task, plan, Checkpoint(folder, "key"), log)
    card = {"architecture": architecture, "classes": CLASSES, "shares": [1.0]}
    return Trained(Model(card, [network.eval()]), np.diff(ends)[1:].tolist())


def measured(step: str, call: Callable[[], Result]) -> Result:
    """Print the seconds of a step and the most resident memory that the process had in it."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again
    began = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - began
    PEAKS.append(resident_gb("VmHWM"))
    say(markdown_row(step, f"{seconds:.1f}", f"{PEAKS[-1]:.2f}", f"{resident_gb('RssFile'):.2f}"))
    return result


def resident_gb(what: str) -> float:
    """Return a figure of this process in GB: VmHWM, the peak, or RssFile, its pages of files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise ValueError(f"/proc/self/status has no {what}")


if __name__ == "__main__":
    run(main)
