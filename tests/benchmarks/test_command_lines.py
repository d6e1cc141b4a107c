"""Each benchmark has a command line that explains itself."""

import importlib
import inspect

import pytest
import typer
from typer.testing import CliRunner

BENCHMARKS = {
    "all": ["--only"],
    "epoch": ["--lesions", "--epochs"],
    "campaign.command": ["--kills", "--disks", "--damage", "--parameters", "--hostile", "--seed"],
    "chain": [],
    "draws": [],
    "evidence": ["--data", "--workdir", "--out"],
    "flow": [],
    "growth": ["--workdir"],
    "larger_than_memory": ["--gigabytes", "--lesions"],
    "lidc_ratings": ["--data", "--workdir"],
    "lidc_to_adrenal": ["--data", "--workdir", "--resolution"],
    "lidc_to_lidc": ["--data", "--workdir", "--target", "--share", "--out"],
    "members": [],
    "parallel_trainings": ["--workers"],
    "preprocessing": [],
    "real_data": ["--data", "--workdir", "--out"],
    "resamples": [],
    "same_bytes": ["--against", "--folders"],
    "self_supervision": ["--epochs", "--draws", "--workdir"],
    "service.command": ["--model", "--requests", "--at-once", "--workers", "--damaged", "--seed"],
    "shifted_copies": ["--data"],
    "simulations": ["--cohorts", "--patients", "--out"],
    "size_input": ["--data", "--workdir", "--target"],
    "sonograms": ["--data", "--weights", "--side"],
    "strategies": ["--patients", "--draws", "--source-patients", "--seeds", "--recipe", "--clone"],
    "truth": ["--run", "--patients", "--trainings", "--workdir", "--out"],
    "verdict": ["--run", "--seeds", "--workdir"],
    "whole_domain": ["--lesions", "--side", "--axes", "--workers"],
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_help_explains_the_benchmark_and_its_options(name):
    main = importlib.import_module(f"benchmarks.{name}").main
    app = typer.Typer(rich_markup_mode=None)
    app.command()(main)
    done = CliRunner().invoke(app, ["--help"])
    assert done.exit_code == 0
    summary = inspect.getdoc(main).splitlines()[0]
    text = " ".join(done.output.split())
    assert summary in text
    for option in BENCHMARKS[name]:
        assert option in text
