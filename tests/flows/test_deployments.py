"""prefect.yaml as it stands, on a real server with a real worker: triggered, and by a schedule."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from flows.publish import check

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(api):
    with httpx.Client(base_url=api) as client:
        yield client


@pytest.fixture
def worker(evaluated, server, tmp_path):
    """The deployments of prefect.yaml for a small project, and a worker that serves them; yields its environment."""
    for name in ("prefect.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, evaluated / name)
    environment = {**server, "GRAFT_REPOSITORY": str(evaluated), "GRAFT_HOME": str(tmp_path / "home"),
                   "PREFECT_WORKER_QUERY_SECONDS": "1"}  # fmt: skip
    for line in (
        "git add --all && git commit -qm deployments",
        "prefect work-pool create gpu --type process --overwrite",
        "prefect deploy --all",
    ):
        subprocess.run(line, shell=True, cwd=evaluated, env=environment, check=True, capture_output=True)
    log = (tmp_path / "worker.log").open("w")
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True)
    yield environment
    process.terminate()
    process.wait(30)


def runs(client: httpx.Client, deployment: str) -> list[dict]:
    """The runs of a deployment that have ended, newest first."""
    wanted = {
        "deployments": {"name": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}},
        "sort": "END_TIME_DESC",
    }
    return client.post("/flow_runs/filter", json=wanted).json()


def wait_for_run(client: httpx.Client, deployment: str, log: Path, seconds: float = 90) -> dict:
    until = time.monotonic() + seconds
    while not (found := runs(client, deployment)):
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.5)
    return found[0]


def test_nightly_runs_and_publishes_and_a_schedule_fires_by_itself(worker, evaluated, client, tmp_path):
    log = tmp_path / "worker.log"
    parameters = {"overrides": {"lambda": 0.1}, "destination": str(tmp_path / "published")}
    command = ["prefect", "deployment", "run", "pipeline/nightly", "--params", json.dumps(parameters)]
    subprocess.run(command, env=worker, check=True, capture_output=True)
    run = wait_for_run(client, "nightly", log)
    assert run["state"]["type"] == "COMPLETED", log.read_text()
    latest = json.loads((tmp_path / "published/latest.json").read_text())
    check(latest)
    assert latest["params"] == {"lambda": 0.1} and latest["metrics"]["models"]["transfer"]["test"]["auroc"]["value"] == 0.61
    found = client.post("/artifacts/latest/filter", json={}).json()
    assert {"metrics", "comparison", "published"} <= {artifact["key"] for artifact in found}

    command = ["prefect", "deployment", "schedule", "create", "pipeline/on-demand", "--interval", "5"]
    subprocess.run(command, env=worker, check=True, capture_output=True)
    run = wait_for_run(client, "on-demand", log)
    assert run["state"]["type"] == "COMPLETED" and run["auto_scheduled"], log.read_text()
    subprocess.run(
        ["prefect", "deployment", "schedule", "clear", "--accept-yes", "pipeline/on-demand"], env=worker, check=True
    )


def test_deployments_have_their_schedules_and_do_not_overlap(worker, client):
    found = {deployment["name"]: deployment for deployment in client.post("/deployments/filter", json={}).json()}
    assert set(found) >= {"nightly", "lambda-sweep", "on-demand"}
    schedules = {name: [schedule["schedule"] for schedule in found[name]["schedules"]] for name in found}
    assert schedules["nightly"][0]["cron"] == "0 2 * * *" and schedules["nightly"][0]["timezone"] == "Europe/Berlin"
    assert schedules["lambda-sweep"][0]["cron"] == "0 6 * * 0"
    for name in ("nightly", "lambda-sweep", "on-demand"):
        assert found[name]["global_concurrency_limit"]["limit"] == 1
        assert found[name]["concurrency_options"]["collision_strategy"] == "ENQUEUE"
