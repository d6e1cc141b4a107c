"""The trainings of the default learning curve, in one process and in several.

    python -m benchmarks.parallel_trainings

Runs the stage `learning_curve` with params.yaml and five draws: 15 trainings on 42 patients, with
21 to validate on and 41 to test, first in one process (GRAFT_WORKERS=1) and then in several. Both
begin without a cache, and the time includes the start of the workers. Checks that both write the
same bytes. Takes three minutes on two cores.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from ruamel.yaml import YAML

from benchmarks.comparison import Comparison, report
from graft.common.files import InputError, sha256
from graft.common.seeds import generator
from graft.console import run
from graft.data.domain import Domain, write_domain
from graft.data.split import write_split
from graft.networks.build import build_network
from graft.networks.saved import save_model

ROOT = Path(__file__).parents[1]
PATIENTS = {"train": 42, "validation": 21, "test": 41}  # in each part
CLASSES = ["benign", "malignant"]
PARTS = np.repeat(list(PATIENTS), list(PATIENTS.values()))
RATIO = 1.6


def main(
    workers: Annotated[int, typer.Option(help="How many processes are compared.")] = 2,
) -> None:
    """Time the stage `learning_curve` in one process and in several."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder)
        one, expected = time_stage(folder, 1)
        several, found = time_stage(folder, workers)
    if found != expected:
        raise InputError(f"learning_curve: {workers} processes write other bytes than one")
    report(
        Comparison(
            what="learning curve of 15 trainings",
            unit="s",
            graft=several,
            peer="one process",
            of_peer=one,
            least_ratio=RATIO if workers == 2 else None,
            note=f"{workers} processes on {os.cpu_count()} cores, the same bytes",
        )
    )


def write_inputs(folder: Path) -> None:
    """Write params.yaml, a target with its split, and a pretrained network into a folder."""
    yaml = YAML()
    parameters = yaml.load(ROOT / "params.yaml")
    parameters["training"]["device"] = "cpu"
    parameters["learning_curve"] |= {"shares": [], "draws": 5}
    yaml.dump(parameters, folder / "params.yaml")
    patch = list(parameters["preprocess"]["patch"])
    target = parameters["target"]
    domain = draw_target(target, patch)
    write_domain(folder / "data/processed" / target, domain)
    write_split(folder / f"data/splits/{target}.csv", pd.Series(PARTS), domain.index)
    shape = {
        "name": parameters["network"]["name"],
        "patch": patch,
        "channels": 1,
        "classes": len(CLASSES),
        "width": parameters["network"]["width"],
    }
    model = folder / "models/pretrained"
    model.mkdir(parents=True)
    save_model(model, [build_network(**shape, seed=0)], {"architecture": shape, "classes": CLASSES})


def draw_target(name: str, patch: list[int]) -> Domain:
    """Draw one lesion for each patient, noise that is brighter in malignant ones."""
    count = len(PARTS)
    codes = np.arange(count) % 2
    random = generator(0, "parallel trainings")
    images = random.random((count, 1, *patch), dtype=np.float32) * 0.8
    images += 0.02 * codes[:, None, None, None, None]
    index = pd.DataFrame(
        {
            "sample": np.arange(count),
            "patient": [f"p{number:03}" for number in range(count)],
            "label": np.array(CLASSES)[codes],
            "site": "",
            "split": "",
            "origin": "",
            "size": 1.0,
            "hash": "",
        }
    )
    return Domain(name, images.astype(np.float16), index, CLASSES, {})


def time_stage(folder: Path, workers: int) -> tuple[float, str]:
    """Run the stage in a new process without a cache: its seconds, and the SHA-256 of its table."""
    for left in (".graft", "metrics"):
        shutil.rmtree(folder / left, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GRAFT_WORKERS": str(workers)}
    environment.pop("GRAFT_SCHEDULER", None)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "stages.learning_curve"],
        cwd=folder,
        env=environment,
        stdout=sys.stderr,
        check=True,
    )
    seconds = time.perf_counter() - began
    return seconds, sha256(folder / "metrics/repeated/learning_curve.csv")


if __name__ == "__main__":
    run(main)
