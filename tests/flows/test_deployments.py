"""prefect.yaml as it stands, on a real server with a real worker: triggered, and by a schedule."""

import asyncio
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from prefect.deployments.steps.utility import run_shell_script
from ruamel.yaml import YAML

from flows.document import validate_document

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def client(api) -> Iterator[httpx.Client]:
    # No connection is reused: the server could close an idle one while the next request is sent.
    once = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=api, limits=once) as client:
        yield client


@pytest.fixture(scope="module")
def deployed(evaluated_template, api, surroundings, tmp_path_factory) -> dict[str, str]:
    """The deployments of prefect.yaml for a small project; returns the environment of a worker."""
    folder = tmp_path_factory.mktemp("deployed")
    project = shutil.copytree(evaluated_template, folder / "project")
    shutil.copy(ROOT / "prefect.yaml", project)
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    (project / "requirements.lock").write_text(next(line for line in lock if "dvc==" in line))
    environment = {
        **surroundings,
        "PREFECT_API_URL": api,
        "TOLD": str(folder),
        "GRAFT_REPOSITORY": str(project),
        "GRAFT_HOME": str(folder / "home"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    for line in (
        "git add --all && git commit -qm deployments",
        "prefect work-pool create gpu --type process --overwrite",
        "prefect deploy --all",
    ):
        subprocess.run(
            line, shell=True, cwd=project, env=environment, check=True, capture_output=True
        )
    return environment


def run_deployment(client: httpx.Client, name: str, parameters: dict) -> None:
    """Have the worker run a deployment, as `prefect deployment run` does."""
    path = f"/deployments/{deployment_id(client, name)}/create_flow_run"
    assert client.post(path, json={"parameters": parameters}).is_success


def deployment_id(client: httpx.Client, name: str) -> str:
    return client.get(f"/deployments/name/pipeline/{name}").json()["id"]


@pytest.fixture
def worker(deployed) -> Iterator[dict[str, str]]:
    """A worker that serves them; yields its environment."""
    process = start_worker(deployed)
    yield deployed
    process.terminate()
    process.wait(30)


def start_worker(environment: dict[str, str]) -> subprocess.Popen:
    folder = Path(environment["TOLD"])
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu"]
    with worker_log(environment).open("a") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def worker_log(environment: dict[str, str]) -> Path:
    return Path(environment["TOLD"]) / "worker.log"


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
    """Each deployment has its schedule and runs at most once at a time."""
    deployments = client.post("/deployments/filter", json={}).json()
    found = {deployment["name"]: deployment for deployment in deployments}
    assert set(found) >= {"nightly", "lambda-sweep", "on-demand", "score", "adapt"}
    nightly = found["nightly"]["schedules"][0]["schedule"]
    assert nightly["cron"] == "0 2 * * *"
    assert nightly["timezone"] == "Europe/Berlin"
    weekly = found["lambda-sweep"]["schedules"][0]["schedule"]
    assert weekly["cron"] == "0 6 * * 0"
    scoring = found["score"]["schedules"][0]["schedule"]
    assert scoring["cron"] == "0 3 * * *"
    assert scoring["timezone"] == "Europe/Berlin"
    assert found["adapt"]["schedules"][0]["schedule"]["cron"] == "0 4 * * 1"
    for name in ("nightly", "lambda-sweep", "on-demand", "score", "adapt"):
        assert found[name]["global_concurrency_limit"]["limit"] == 1
        assert found[name]["concurrency_options"]["collision_strategy"] == "ENQUEUE"


def test_nightly_runs_and_publishes_and_a_schedule_fires_by_itself(worker, client, tmp_path):
    assert_deployed(client)
    log = worker_log(worker)
    parameters = {"overrides": {"lambda": 0.1}, "destination": str(tmp_path / "published")}
    run_deployment(client, "nightly", parameters)
    run = wait_for_run(client, "nightly", log)
    assert run["state"]["type"] == "COMPLETED", log.read_text()
    latest = json.loads((tmp_path / "published/latest.json").read_text())
    validate_document(latest)
    assert latest["params"] == {"lambda": 0.1}
    assert latest["metrics"]["models"]["transfer"]["test"]["auroc"]["value"] == 0.61
    found = client.post("/artifacts/latest/filter", json={}).json()
    assert {"metrics", "comparison", "published"} <= {artifact["key"] for artifact in found}

    schedules = f"/deployments/{deployment_id(client, 'on-demand')}/schedules"
    soon = (datetime.now(UTC) + timedelta(seconds=10)).isoformat()
    every_minute = {"active": True, "schedule": {"interval": 60, "anchor_date": soon}}
    (schedule,) = client.post(schedules, json=[every_minute]).json()
    run = wait_for_run(client, "on-demand", log)
    assert run["state"]["type"] == "COMPLETED", log.read_text()
    assert run["auto_scheduled"]
    assert client.delete(f"{schedules}/{schedule['id']}").is_success
    for due in in_state(client, "SCHEDULED"):
        client.delete(f"/flow_runs/{due['id']}")
    until = time.monotonic() + 60
    while in_state(client, "PENDING", "RUNNING"):
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)


@pytest.mark.parametrize("name", ["GRAFT_HOME", "GRAFT_REPOSITORY"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_worker_without_its_variables_is_told_which_one_to_set(
    tmp_path, monkeypatch, name, value
):
    monkeypatch.setenv("GRAFT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GRAFT_REPOSITORY", str(tmp_path))
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    step = YAML(typ="safe").load(ROOT / "prefect.yaml")["pull"][0]
    (inputs,) = step.values()
    with pytest.raises(RuntimeError, match=f": {name}: is not set. Set it for the worker to the "):
        asyncio.run(run_shell_script(**inputs))


def processes(environment: dict[str, str]) -> dict[str, list[psutil.Process]]:
    """The processes in the worker's clone by kind: the flow, the stages' DVC, and the stages."""
    found: dict[str, list[psutil.Process]] = {"flow": [], "dvc": [], "stage": []}
    for process in psutil.process_iter():
        try:
            words, folder = process.cmdline(), process.cwd()
            alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if folder == environment["GRAFT_HOME"] and alive:
            found[kind_of_process(words)].append(process)
    return found


def kind_of_process(words: list[str]) -> str:
    if "stage.py" in words:
        return "stage"
    if any("dvc" in word for word in words):
        return "dvc"
    return "flow"


def all_ended(environment: dict[str, str], seconds: float = 60) -> bool:
    """Whether every process in the worker's clone ends in time."""
    until = time.monotonic() + seconds
    while any(processes(environment).values()):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def wait_for_stage(environment: dict[str, str], log: Path) -> None:
    until = time.monotonic() + 180
    while not processes(environment)["stage"]:
        assert time.monotonic() < until, log.read_text()[-5000:]
        time.sleep(0.05)


def assert_dvc_works(environment: dict[str, str], after: object) -> None:
    """`dvc status` works in the worker's clone after a kill."""
    status = subprocess.run(
        ["dvc", "status"],
        cwd=environment["GRAFT_HOME"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert status.returncode == 0, (after, status.stderr)


def crash_lost_runs(client: httpx.Client) -> None:
    """Set the runs of a killed worker to Crashed: the worker cannot report that they are over."""
    for lost in in_state(client, "RUNNING"):
        crashed = {"state": {"type": "CRASHED"}, "force": True}
        assert client.post(f"/flow_runs/{lost['id']}/set_state", json=crashed).is_success


def undisturbed_metrics(environment: dict[str, str], folder: Path, weight: float) -> bytes:
    """The metrics.json of a run of DVC alone, in a clone of its own."""
    clone = ["git", "clone", "-q", environment["GRAFT_REPOSITORY"], str(folder)]
    subprocess.run(clone, env=environment, check=True)
    experiment = ["dvc", "exp", "run", "-q", "-S", f"lambda={weight}"]
    subprocess.run(experiment, cwd=folder, env=environment, check=True)
    return (folder / "metrics/metrics.json").read_bytes()


@pytest.mark.slow
def test_twenty_kills_leave_nothing_behind_and_the_next_run_ends_the_same(
    deployed, client, tmp_path
):
    """The flow, the worker, DVC with its guard, and the stage are killed at random moments."""
    home = Path(deployed["GRAFT_HOME"])
    log = worker_log(deployed)
    chance = random.Random(0)
    environment = {**deployed, "STAGE_S": "2"}
    kinds = ["flow", "worker", "dvc", "stage"]
    worker = start_worker(environment)
    killed: Counter = Counter()
    for k in range(20):
        kind = kinds[k % 4]
        how = [signal.SIGTERM, signal.SIGKILL][k // 4 % 2]
        weight = round(0.2 + k / 100, 2)  # another value, so that there is work to do
        run_deployment(client, "on-demand", {"overrides": {"lambda": weight}})
        wait_for_stage(environment, log)
        time.sleep(chance.uniform(0, 1.9 if kind == "stage" else 4))  # a stage takes 2 s
        alive = {**processes(environment), "worker": [psutil.Process(worker.pid)]}[kind]
        if alive:
            with suppress(psutil.NoSuchProcess):
                chance.choice(alive).send_signal(how)
            killed[kind, how] += 1
        if kind == "worker":
            worker.wait(60)
        assert all_ended(environment), (kind, how)
        assert_dvc_works(environment, after=(kind, how))
        if kind == "worker":
            crash_lost_runs(client)
            worker = start_worker(environment)
    assert {kind for kind, _ in killed} == set(kinds)
    assert killed.total() > 12, killed
    before = len(runs(client, "on-demand"))
    run_deployment(client, "on-demand", {"overrides": {"lambda": 0.5}})
    until = time.monotonic() + 120
    while len(runs(client, "on-demand")) == before:
        assert time.monotonic() < until, log.read_text()[-5000:]
        time.sleep(0.5)
    worker.terminate()
    worker.wait(60)
    assert runs(client, "on-demand")[0]["state"]["type"] == "COMPLETED", log.read_text()[-5000:]
    expected = undisturbed_metrics(environment, tmp_path / "undisturbed", 0.5)
    assert (home / "metrics/metrics.json").read_bytes() == expected


def test_a_cancelled_run_leaves_no_process(worker, client):
    told = Path(worker["TOLD"])
    (told / "hold-finetune").touch()
    run_deployment(client, "on-demand", {"overrides": {"lambda": 0.6}})
    until = time.monotonic() + 60
    while not (told / "holds-finetune").exists():
        assert time.monotonic() < until, worker_log(worker).read_text()
        time.sleep(0.1)
    (run,) = in_state(client, "RUNNING")
    cancelling = {"state": {"type": "CANCELLING"}}  # as `prefect flow-run cancel` sets
    assert client.post(f"/flow_runs/{run['id']}/set_state", json=cancelling).is_success
    assert all_ended(worker, 20)
    until = time.monotonic() + 20
    while client.get(f"/flow_runs/{run['id']}").json()["state"]["type"] != "CANCELLED":
        assert time.monotonic() < until, worker_log(worker).read_text()
        time.sleep(0.2)
    (told / "hold-finetune").unlink()
