"""What the steps that look at a whole domain cost, by the number of lesions.

    python -m benchmarks.whole_domain [--lesions 100000] [--side 8] [--axes 3]

Makes two domains of smooth random images, with two lesions of each patient and some planted copies:
identical, mirrored, noisy and, unless an image is too small, shifted. Runs every step in a process
of its own, with 1,000, 4,000 and 16,000 lesions in each domain, and prints processor time, peak
memory, and the exponent b of time = c + a·n^b. The peer is the search of all pairs that graft used
before; it is run up to 4,000 lesions. With --lesions that number alone is measured, without the
peer. Takes about 4 minutes on one core.
"""

import io
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from ruamel.yaml import YAML
from scipy.ndimage import gaussian_filter

from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.growth_fit import fit_growth
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.whole_domain_peer import compare_all_pairs
from graft.common.parallel import WORKERS
from graft.common.seeds import generator
from graft.common.vocabulary import SYNTHETIC
from graft.console import run, say
from graft.data.domain import Domain, write_domain
from graft.duplicates.features import describe_domain
from graft.duplicates.fingerprints import fingerprint_images
from graft.duplicates.pairs import find_duplicates, pairs_between
from stages import check, paths, split

LESIONS = (250, 1_000, 4_000, 16_000)  # in each domain; the first gives the cost of starting
MOST_OF_PEER = 4_000
ROUGHLY_LINEAR = 1.2  # the largest exponent that is aimed at
MOST_MEMORY = 4.0  # GB
NOISE = 0.2  # s of processor time that may be chance
COPIES = 8  # planted, of each kind
CLASSES = ["benign", "malignant"]


@dataclass(frozen=True)
class Cost:
    """What a step costs: `seconds` elapsed, `processor` seconds, and `peak` memory in GB."""

    seconds: float
    processor: float
    peak: float


def main(
    lesions: Annotated[
        int | None, typer.Option(help="Measure so many lesions alone, in each domain.")
    ] = None,
    side: Annotated[int, typer.Option(help="Voxels of an image along each axis.")] = 8,
    axes: Annotated[int, typer.Option(help="2 for planes, 3 for volumes.")] = 3,
    workers: Annotated[int, typer.Option(help="Processes that work in parallel.")] = 1,
) -> None:
    """Print time, memory and exponent of every step, and compare the search with its peer."""
    os.environ[WORKERS] = str(workers)
    numbers = [lesions] if lesions else list(LESIONS)
    costs: dict[str, list[Cost]] = {name: [] for name in STEPS}
    for number in numbers:
        with tempfile.TemporaryDirectory(prefix="graft-") as name:
            folder = Path(name)
            in_new_process(partial(write_domains, folder, number, (side,) * axes))
            for step, work in STEPS.items():
                cost, found = in_new_process(partial(work, folder))
                costs[step].append(cost)
                if step == WITHIN and number == MOST_OF_PEER:
                    compare_with_peer(folder, cost, found)
    columns = [f"{number:,} lesions: s / GB" for number in numbers]
    for line in markdown_head("step", *columns, "exponent"):
        say(line)
    exponents = {}
    for step, of_step in costs.items():
        growth = fit_growth(numbers, [cost.processor for cost in of_step], NOISE)
        if growth:
            exponents[step] = growth.exponent
        cells = [f"{cost.processor:.1f} / {cost.peak:.2f}" for cost in of_step]
        say(markdown_row(step, *cells, f"{growth.exponent:.2f}" if growth else ""))
    total = sum(of_step[-1].seconds for of_step in costs.values())
    largest = max(of_step[-1].peak for of_step in costs.values())
    note = f"all steps: {total / 60:.1f} minutes"
    what = f"largest peak memory with {numbers[-1]:,} lesions in each domain"
    report(Comparison(what, "GB", largest, "", None, bound=MOST_MEMORY, note=note))
    if exponents:
        report_steepest(exponents)


def report_steepest(exponents: dict[str, float]) -> None:
    """Report the largest exponent of all steps beside that of linear growth."""
    step = max(exponents, key=lambda name: exponents[name])
    what = f"growth of processor time with lesions, the steepest step: {step}"
    linear = "exponent of linear growth"
    report(Comparison(what, "", exponents[step], linear, 1.0, bound=ROUGHLY_LINEAR))


def compare_with_peer(folder: Path, cost: Cost, found: set[tuple[int, int]]) -> None:
    """Report the search within a domain beside that of all pairs."""
    peer, expected = in_new_process(
        partial(compare_all_pairs, folder / paths.processed("lung"), cache(folder))
    )
    missed = len(expected - found)
    note = f"{len(expected)} pairs, {missed} of them missed, {len(found - expected)} others found"
    what = f"copies within {MOST_OF_PEER:,} lesions"
    report(Comparison(what, "s", cost.processor, "all pairs", peer.processor, note=note))


def in_new_process(work: Callable[[], Any]) -> tuple[Cost, Any]:
    """Run something in a fresh process, and return its cost and result."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(_measured, work).result()


def _measured(work: Callable[[], Any]) -> tuple[Cost, Any]:
    began = time.perf_counter()
    at_work = time.process_time()
    with redirect_stdout(io.StringIO()):  # what the stages print
        result = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Cost(time.perf_counter() - began, time.process_time() - at_work, peak), result


def write_domains(folder: Path, lesions: int, shape: tuple[int, ...]) -> None:
    """Write both processed domains and the parameters."""
    for name in ("lung", "liver"):
        images = smooth_images(name, lesions, shape)
        plant_copies(images, generator(0, "copies", name))
        write_domain(folder / paths.processed(name), make_domain(name, images))
    parameters = YAML().load(ROOT / "params.yaml")
    for name in ("lung", "liver"):
        parameters["domains"][name]["split"] |= {"external": None, "duplicates": "drop"}
    YAML().dump(parameters, folder / "params.yaml")


def smooth_images(name: str, lesions: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return smooth noise (N, 1, *spatial)."""
    random = generator(0, "whole domain", name)
    images = np.zeros((lesions, 1, *shape), np.float16)
    sigma = (0.0, 0.0, *[1.5] * len(shape))
    for start in range(0, lesions, 1000):
        block = images[start : start + 1000]
        noise = gaussian_filter(random.standard_normal(block.shape, np.float32), sigma)
        block[:] = np.clip(0.5 + 0.15 * noise / noise.std(), 0, 1)
    return images


def plant_copies(images: np.ndarray, random: np.random.Generator) -> None:
    """Replace the last images by copies of the first: identical, mirrored, noisy, shifted."""
    for copy in range(4 * COPIES):
        image = images[copy]
        changed = (
            image,
            image[:, ::-1],
            np.clip(image + 0.01 * random.standard_normal(image.shape), 0, 1),
            np.roll(image, 2, axis=1),
        )
        images[-1 - copy] = changed[copy % 4]


def make_domain(name: str, images: np.ndarray) -> Domain:
    """Return a domain with two lesions of each patient."""
    count = len(images)
    number = np.arange(count)
    table = {
        "sample": number,
        "patient": [f"{name}-{patient}" for patient in number // 2],
        "label": np.array(CLASSES)[number // 2 % 2],
        "site": "",
        "split": "",
        "origin": [f"{name}#{one}" for one in number],
        "size": generator(0, "sizes", name).uniform(1, 30, count),
        "hash": fingerprint_images(images),
    }
    about = {"window": [0, 1], "intensity": "window", "patch": list(images.shape[2:])}
    return Domain(name, images, pd.DataFrame(table), CLASSES, about, patient_key=SYNTHETIC)


def read(folder: Path, name: str) -> Domain:
    """Read one of the domains."""
    return Domain.read(folder / paths.processed(name))


def find_within(folder: Path) -> set[tuple[int, int]]:
    """Find the copies within the first domain."""
    domain = read(folder, "lung")
    parts = pd.Series("train", index=domain.index.index)
    return {(pair.first, pair.second) for pair in find_duplicates(domain, parts, cache(folder))}


def find_across(folder: Path) -> int:
    """Find the copies across the domains."""
    one, other = read(folder, "lung"), read(folder, "liver")
    rows, other_rows = (np.arange(len(domain.index)) for domain in (one, other))
    return len(pairs_between(one, rows, other, other_rows, cache(folder)))


def cache(folder: Path) -> Path:
    """Return where the features of images are kept."""
    return folder / paths.FEATURES


def describe_both(folder: Path) -> None:
    """Compute the features of both domains."""
    for name in ("lung", "liver"):
        describe_domain(read(folder, name), cache(folder))


def split_both(folder: Path) -> None:
    """Run the stage split on both domains."""
    os.chdir(folder)
    for name in ("lung", "liver"):
        split.main(name)


def check_both(folder: Path) -> None:
    """Run the stage check."""
    os.chdir(folder)
    check.main()


def evaluate(folder: Path) -> None:
    """Judge two models with random predictions, as `evaluate` does."""
    from benchmarks.whole_domain_models import judge_models  # late: it imports torch

    judge_models(folder / paths.processed("lung"), folder / paths.split("lung"))


WITHIN = "copies within"
STEPS: dict[str, Callable[[Path], Any]] = {
    "features of both": describe_both,
    WITHIN: find_within,
    "copies across": find_across,
    "split of both": split_both,
    "check": check_both,
    "evaluate": evaluate,
}


if __name__ == "__main__":
    run(main)
