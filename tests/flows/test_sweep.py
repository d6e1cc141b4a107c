"""The sweep on a real Dask cluster of two processes, with real DVC and stages of a moment each."""

import subprocess
import sys
from collections import Counter

import pandas as pd

from flows.sweep import best


def swept(project, environment, *words):
    command = [sys.executable, "-m", "flows.sweep", *words]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    journal = project.parent / "journal"
    ran = (
        Counter(line.split()[0] for line in journal.read_text().splitlines())
        if journal.exists()
        else Counter()
    )
    journal.unlink(missing_ok=True)
    return done, ran


def test_a_sweep_on_dask_trains_what_its_points_share_once(evaluated, server):
    done, ran = swept(evaluated, server, "-S", "lambda=0,0.1,0.3,1", "--dask")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ran == {"pretrain": 1, "finetune": 4}
    table = pd.read_csv(evaluated / "metrics/sweep.csv")
    assert list(table[table["model"] == "transfer"]["lambda"]) == [0, 0.1, 0.3, 1]
    assert table[table["best"]][["lambda", "model"]].values.tolist() == [
        [0.1, "transfer"]
    ]  # scratch has the best test
    assert (evaluated / "metrics/sweep.png").read_bytes().startswith(b"\x89PNG")
    listed = subprocess.run(
        ["dvc", "exp", "list", "--name-only"],
        cwd=evaluated,
        env=server,
        capture_output=True,
        text=True,
    )
    assert (
        set(listed.stdout.split()) == set(table["experiment"])
        and len(set(table["experiment"])) == 4
    )
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=evaluated, env=server, capture_output=True, text=True
    )
    assert status.stdout == "" and not (evaluated / "pretrain.txt").exists()

    # By threads, with a point that is known and one that fails: it is named, and the others finish.
    done, ran = swept(evaluated, server, "-S", "lambda=0.1,unknown")
    assert (
        done.returncode == 1
        and "\nerror: lambda unknown: dvc exp run ended with " in done.stdout + done.stderr
    )
    assert ran == {"finetune": 1} and set(
        pd.read_csv(evaluated / "metrics/sweep.csv")["lambda"]
    ) == {0.1}


def test_the_best_point_is_the_first_with_the_lowest_validation_loss():
    assert (
        best(
            pd.DataFrame(
                {"validation_log_loss": [0.5, 0.4, 0.4], "test_auroc_value": [0.9, 0.6, 0.8]}
            )
        )
        == 1
    )
