"""prefect.yaml as it stands, on a real server with a real worker: triggered, and by a schedule."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from flows.publish import check

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(api):
    once = httpx.Limits(
        max_keepalive_connections=0
    )  # the server closes what is idle, perhaps as the next request comes
    with httpx.Client(base_url=api, limits=once) as client:
        yield client


@pytest.fixture
def deployed(evaluated, server, tmp_path) -> dict[str, str]:
    """The deployments of prefect.yaml for a small project; returns the environment of a worker."""
    for name in ("prefect.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, evaluated / name)
    environment = {
        **server,
        "GRAFT_REPOSITORY": str(evaluated),
        "GRAFT_HOME": str(tmp_path / "home"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    for line in (
        "git add --all && git commit -qm deployments",
        "prefect work-pool create gpu --type process --overwrite",
        "prefect deploy --all",
    ):
        subprocess.run(
            line, shell=True, cwd=evaluated, env=environment, check=True, capture_output=True
        )
    return environment


@pytest.fixture
def worker(deployed):
    """A worker that serves them; yields its environment."""
    process = start_worker(deployed)
    yield deployed
    process.terminate()
    process.wait(30)


def start_worker(environment: dict[str, str]) -> subprocess.Popen:
    folder = Path(environment["GRAFT_HOME"]).parent
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu"]
    with (folder / "worker.log").open("a") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def runs(client: httpx.Client, deployment: str) -> list[dict]:
    """The runs of a deployment that have ended, newest first."""
    wanted = {
        "deployments": {"name": {"any_": [deployment]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}},
        "sort": "END_TIME_DESC",
    }
    return client.post("/flow_runs/filter", json=wanted).json()


def in_state(client: httpx.Client, *types: str) -> list[dict]:
    """The runs of `on-demand` in some states."""
    wanted = {
        "deployments": {"name": {"any_": ["on-demand"]}},
        "flow_runs": {"state": {"type": {"any_": types}}},
    }
    return client.post("/flow_runs/filter", json=wanted).json()


def wait_for_run(client: httpx.Client, deployment: str, log: Path, seconds: float = 90) -> dict:
    until = time.monotonic() + seconds
    while not (found := runs(client, deployment)):
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.5)
    return found[0]


def assert_deployed(client: httpx.Client) -> None:
    """Each deployment has its schedule, and no two runs of it at once."""
    found = {
        deployment["name"]: deployment
        for deployment in client.post("/deployments/filter", json={}).json()
    }
    assert set(found) >= {"nightly", "lambda-sweep", "on-demand"}
    schedules = {
        name: [schedule["schedule"] for schedule in found[name]["schedules"]] for name in found
    }
    assert (
        schedules["nightly"][0]["cron"] == "0 2 * * *"
        and schedules["nightly"][0]["timezone"] == "Europe/Berlin"
    )
    assert schedules["lambda-sweep"][0]["cron"] == "0 6 * * 0"
    for name in ("nightly", "lambda-sweep", "on-demand"):
        assert found[name]["global_concurrency_limit"]["limit"] == 1
        assert found[name]["concurrency_options"]["collision_strategy"] == "ENQUEUE"


def test_nightly_runs_and_publishes_and_a_schedule_fires_by_itself(
    worker, evaluated, client, tmp_path
):
    assert_deployed(client)
    log = tmp_path / "worker.log"
    parameters = {"overrides": {"lambda": 0.1}, "destination": str(tmp_path / "published")}
    command = [
        "prefect",
        "deployment",
        "run",
        "pipeline/nightly",
        "--params",
        json.dumps(parameters),
    ]
    subprocess.run(command, env=worker, check=True, capture_output=True)
    run = wait_for_run(client, "nightly", log)
    assert run["state"]["type"] == "COMPLETED", log.read_text()
    latest = json.loads((tmp_path / "published/latest.json").read_text())
    check(latest)
    assert (
        latest["params"] == {"lambda": 0.1}
        and latest["metrics"]["models"]["transfer"]["test"]["auroc"]["value"] == 0.61
    )
    found = client.post("/artifacts/latest/filter", json={}).json()
    assert {"metrics", "comparison", "published"} <= {artifact["key"] for artifact in found}

    command = [
        "prefect",
        "deployment",
        "schedule",
        "create",
        "pipeline/on-demand",
        "--interval",
        "5",
    ]
    subprocess.run(command, env=worker, check=True, capture_output=True)
    run = wait_for_run(client, "on-demand", log)
    assert run["state"]["type"] == "COMPLETED" and run["auto_scheduled"], log.read_text()
    command = ["prefect", "deployment", "schedule", "clear", "--accept-yes", "pipeline/on-demand"]
    subprocess.run(command, env=worker, check=True, capture_output=True)
    for due in in_state(client, "SCHEDULED"):
        client.delete(f"/flow_runs/{due['id']}")
    until = time.monotonic() + 60
    while in_state(client, "PENDING", "RUNNING"):
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)


def processes(environment: dict[str, str]) -> dict[str, list[psutil.Process]]:
    """Whoever runs in the worker's clone, by kind: the flow, the stages' DVC, and the stages."""
    found = {"flow": [], "dvc": [], "stage": []}
    for process in psutil.process_iter():
        try:
            words, folder = process.cmdline(), process.cwd()
        except psutil.Error:
            continue
        if folder == environment["GRAFT_HOME"] and process.status() != psutil.STATUS_ZOMBIE:
            kind = (
                "stage"
                if "stage.py" in words
                else "dvc"
                if any("dvc" in word for word in words)
                else "flow"
            )
            found[kind].append(process)
    return found


def settled(environment: dict[str, str], seconds: float = 60) -> bool:
    """Whether every process in the worker's clone ends in time."""
    until = time.monotonic() + seconds
    while any(processes(environment).values()):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def strike(process: psutil.Process, how: signal.Signals) -> None:
    try:
        process.send_signal(how)
    except psutil.NoSuchProcess:
        pass


@pytest.mark.slow
def test_twenty_kills_leave_nothing_behind_and_the_next_run_ends_the_same(
    deployed, client, tmp_path
):
    """SIGTERM and SIGKILL of the flow, the worker, DVC with its guard, and the stage, at random moments."""
    home, log, chance = Path(deployed["GRAFT_HOME"]), tmp_path / "worker.log", random.Random(0)
    environment = {**deployed, "STAGE_S": "2"}
    run = ["prefect", "deployment", "run", "pipeline/on-demand", "--params"]
    kinds = ["flow", "worker", "dvc", "stage"]
    worker, struck = start_worker(environment), Counter()
    for k in range(20):
        kind, how = kinds[k % 4], [signal.SIGTERM, signal.SIGKILL][k // 4 % 2]
        words = [
            *run,
            json.dumps({"overrides": {"lambda": round(0.1 + k / 100, 2)}}),
        ]  # so that there is work to do
        subprocess.run(words, env=environment, check=True, capture_output=True)
        until = time.monotonic() + 180
        while not processes(environment)["stage"]:
            assert time.monotonic() < until, log.read_text()[-5000:]
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 1.9 if kind == "stage" else 4))  # a stage takes 2 s
        alive = {**processes(environment), "worker": [psutil.Process(worker.pid)]}[kind]
        if alive:
            strike(chance.choice(alive), how)
            struck[kind, how] += 1
        if kind == "worker":
            worker.wait(60)
        assert settled(environment), (kind, how)
        status = subprocess.run(
            ["dvc", "status"], cwd=home, env=environment, capture_output=True, text=True
        )
        assert status.returncode == 0, (kind, how, status.stderr)
        if kind == "worker":  # nobody is left to say that its run is over
            for lost in in_state(client, "RUNNING"):
                crashed = {"state": {"type": "CRASHED"}, "force": True}
                assert client.post(f"/flow_runs/{lost['id']}/set_state", json=crashed).is_success
            worker = start_worker(environment)
    assert {kind for kind, _ in struck} == set(kinds) and struck.total() > 12, struck
    before = len(runs(client, "on-demand"))
    words = [*run, json.dumps({"overrides": {"lambda": 0.5}})]
    subprocess.run(words, env=environment, check=True, capture_output=True)
    until = time.monotonic() + 120
    while len(runs(client, "on-demand")) == before:
        assert time.monotonic() < until, log.read_text()[-5000:]
        time.sleep(0.5)
    worker.terminate()
    worker.wait(60)
    assert runs(client, "on-demand")[0]["state"]["type"] == "COMPLETED", log.read_text()[-5000:]
    undisturbed = tmp_path / "undisturbed"
    for line in (
        f"git clone -q {environment['GRAFT_REPOSITORY']} {undisturbed}",
        f"cd {undisturbed} && dvc exp run -q -S lambda=0.5",
    ):
        subprocess.run(line, shell=True, env=environment, check=True)
    assert (home / "metrics/metrics.json").read_bytes() == (
        undisturbed / "metrics/metrics.json"
    ).read_bytes()


def test_a_cancelled_run_leaves_no_process(worker, client, tmp_path):
    (tmp_path / "hold-pretrain").touch()
    subprocess.run(
        ["prefect", "deployment", "run", "pipeline/on-demand"],
        env=worker,
        check=True,
        capture_output=True,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "holds-pretrain").exists():
        assert time.monotonic() < until, (tmp_path / "worker.log").read_text()
        time.sleep(0.1)
    (run,) = in_state(client, "RUNNING")
    subprocess.run(
        ["prefect", "flow-run", "cancel", run["id"]], env=worker, check=True, capture_output=True
    )
    assert settled(worker, 20)
    until = time.monotonic() + 20
    while client.get(f"/flow_runs/{run['id']}").json()["state"]["type"] != "CANCELLED":
        assert time.monotonic() < until, (tmp_path / "worker.log").read_text()
        time.sleep(0.2)
