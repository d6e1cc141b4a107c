"""The benchmark of the GPU, run on the CPU on a machine that lacks most libraries."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
MISSING = (
    "dvc",
    "dvclive",
    "prefect",
    "monai",
    "typer",
    "sklearn",
    "scipy",
    "torchvision",
    "joblib",
)
BARE_MACHINE = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({MISSING!r}))  # importing one of them raises an error
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BARE_MACHINE, *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.slow
def test_it_trains_on_a_bare_machine():
    done = run("--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "MONAI is not installed" in done.stdout
    assert "both trainings gave the same bytes" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_line():
    done = run()
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: PyTorch finds no GPU here")
