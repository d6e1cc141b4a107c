"""The sweep on a real Dask cluster of two processes, with real DVC and stages of a moment each."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest


def run_sweep(
    project: Path, environment: dict[str, str], *words: str
) -> tuple[subprocess.CompletedProcess, Counter]:
    """Run `python -m flows.sweep`; returns how it ended and how often each stage ran."""
    command = [sys.executable, "-m", "flows.sweep", *words]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    journal = project.parent / "journal"
    lines = journal.read_text().splitlines() if journal.exists() else []
    journal.unlink(missing_ok=True)
    return done, Counter(line.split()[0] for line in lines)


def output(project: Path, environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    return done.stdout


def test_a_sweep_on_dask_trains_what_its_points_share_once(evaluated, server):
    done, ran = run_sweep(evaluated, server, "-S", "lambda=0.1,1,unknown", "--dask")
    assert done.returncode == 1  # one point fails: it is named, and the others finish
    told = done.stdout + done.stderr
    assert "\nerror: lambda unknown: dvc exp run ended with " in told
    assert ran == {"pretrain": 1, "finetune": 3}
    table = pd.read_csv(evaluated / "metrics/sweep.csv")
    assert list(table[table["model"] == "transfer"]["lambda"]) == [0.1, 1]
    best = table[table["best"]][["lambda", "model"]]
    assert best.values.tolist() == [[0.1, "transfer"]]  # scratch is the best on the test part
    assert (evaluated / "metrics/sweep.png").read_bytes().startswith(b"\x89PNG")
    experiments = output(evaluated, server, "dvc", "exp", "list", "--name-only").split()
    assert set(experiments) == set(table["experiment"])
    assert table["experiment"].nunique() == 2
    (own,) = (evaluated / "metrics/sweeps").glob("*.csv")
    assert own.read_bytes() == (evaluated / "metrics/sweep.csv").read_bytes()
    assert output(evaluated, server, "git", "status", "--porcelain") == ""
    assert not (evaluated / "pretrain.txt").exists()


@pytest.mark.slow
def test_a_sweep_on_threads_restores_a_point_that_is_known(evaluated, server):
    for values, trained in (("0.1", {"pretrain": 1, "finetune": 1}), ("0.1,1", {"finetune": 1})):
        done, ran = run_sweep(evaluated, server, "-S", f"lambda={values}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert ran == trained
    assert set(pd.read_csv(evaluated / "metrics/sweep.csv")["lambda"]) == {0.1, 1}


def test_a_secret_or_an_unknown_key_in_the_grid_is_refused(evaluated, server):
    environment = {**server, "TOP_SECRET": "sesame-open"}
    words = ("-S", "lambda=0.1,${oc.env:TOP_SECRET}")
    done, ran = run_sweep(evaluated, environment, *words)
    assert done.returncode == 1
    assert "\nerror: grid: lambda: got '${oc.env:TOP_SECRET}', expected a value" in done.stderr
    assert "sesame-open" not in done.stdout + done.stderr
    assert not ran
    done, ran = run_sweep(evaluated, server, "-S", "lamda=0.1,0.2")
    assert done.returncode == 1
    assert "\nerror: params.yaml: lamda: unknown key, did you mean 'lambda'?" in done.stderr
    assert not ran


@pytest.mark.slow
def test_two_sweeps_at_once_keep_both_results(evaluated, server):
    grids = ("lambda=0.1,0.2", "lambda=0.3,0.4")
    started = []
    for grid in grids:
        command = [sys.executable, "-m", "flows.sweep", "-S", grid]
        started.append(subprocess.Popen(command, cwd=evaluated, env=server))
    assert [process.wait(300) for process in started] == [0, 0]
    tables = [pd.read_csv(path) for path in (evaluated / "metrics/sweeps").glob("*.csv")]
    tried = sorted(tuple(sorted(set(table["lambda"]))) for table in tables)
    assert tried == [(0.1, 0.2), (0.3, 0.4)]
    latest = pd.read_csv(evaluated / "metrics/sweep.csv")
    assert any(latest.equals(table) for table in tables)
