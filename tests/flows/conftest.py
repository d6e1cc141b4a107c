"""A real Prefect server on a free port, and a small DVC project with graft's flows in it."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import fsspec
import httpx
import pytest
from filelock import FileLock
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).parents[2]
DVC_YAML = """
stages:
  lung: {cmd: python stage.py lung, deps: [stage.py], params: [lambda], outs: [lung.txt]}
  liver: {cmd: python stage.py liver, deps: [stage.py], outs: [liver.txt]}
  first:
    cmd: python stage.py first
    meta: {gpu: true}
    deps: [stage.py, lung.txt]
    params: [epochs]
    outs: [first.txt]
  second:
    cmd: python stage.py second
    meta: {gpu: true}
    deps: [stage.py, liver.txt]
    params: [epochs]
    outs: [second.txt]
  both: {cmd: python stage.py both, deps: [stage.py, first.txt, second.txt], outs: [both.txt]}
"""
PARAMETERS = "lambda: 0.01\nepochs: 5\n"
SWEEPABLE = """
stages:
  pretrain: {cmd: python stage.py pretrain, deps: [stage.py], outs: [pretrain.txt]}
  finetune:
    cmd: python stage.py finetune
    deps: [stage.py, pretrain.txt]
    params: [lambda]
    outs: [finetune.txt]
  evaluate:
    cmd: python evaluate.py
    deps: [evaluate.py, finetune.txt]
    params: [lambda]
    outs: [metrics/metrics.json]
"""
EVALUATE = """
import json
weight = float(open("params.yaml").read().split()[1])

def model(validation, test):
    auroc = {"value": test, "low": test - 0.1, "high": test + 0.1}
    return {"validation": {"log_loss": validation}, "test": {"auroc": auroc}, "external": None}

transfer = model(0.5 + abs(weight - 0.1), 0.6 + weight / 10)
gain = {"value": 0.1, "low": 0.0, "high": 0.2}
metrics = {
    "schema_version": 1,
    "models": {"scratch": model(0.7, 0.95), "transfer": transfer},
    "baselines": {},
    "transfer_gain": {"transfer": {"test": gain, "external": None}},
    "chosen": {"model": "transfer", "by": "validation log loss"},
    "verdict": "no difference shown",
}
json.dump(metrics, open("metrics/metrics.json", "w"))
"""
STAGE = """
import os, sys, time
from pathlib import Path
name, told = sys.argv[1], Path(os.environ["TOLD"])
began = time.monotonic()
print("this is", name, flush=True)
if (told / f"break-{name}").exists():
    sys.exit(f"error: {name} is broken")
if (told / f"hold-{name}").exists():
    (told / f"holds-{name}").touch()
    while (told / f"hold-{name}").exists():
        time.sleep(0.05)
time.sleep(float(os.environ.get("STAGE_S", "0.05")))
Path(f"{name}.txt").write_text(name)
with open(told / "journal", "a") as journal:
    journal.write(f"{name} {began} {time.monotonic()} {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n")
"""

# A shell starts background processes with Ctrl-C ignored, and the processes that are started here
# would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory) -> dict[str, str]:
    """The environment of every process: it hides the user's settings and keeps off the network."""
    home = tmp_path_factory.mktemp("prefect-home")
    (home / ".gitconfig").write_text("[user]\nname = graft\nemail = graft@example.org\n")
    environment = dict(os.environ)
    for name in os.environ:
        if name.startswith(("GIT_", "DVC_", "PREFECT_", "XDG_")):
            del environment[name]
    return {
        **environment,
        "HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
    }


@pytest.fixture(scope="session")
def api(surroundings, tmp_path_factory) -> Iterator[str]:
    """The address of a running server, which the processes of one test run share."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    starting = FileLock(shared / "server.lock")
    running = shared / "server.json"
    with (shared / "server.users").open("a") as users:
        with starting:
            fcntl.flock(users, fcntl.LOCK_SH)
            if not running.exists():
                running.write_text(json.dumps(start_server(surroundings)))
            address, number = json.loads(running.read_text())
        yield address
        with starting, suppress(BlockingIOError):  # raised if another process still uses the server
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            running.unlink()
            os.kill(number, signal.SIGTERM)
            wait_for(lambda: not is_served(address))


def start_server(environment: dict[str, str]) -> tuple[str, int]:
    """Start a server; returns its address and the number of its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/api"
    start = [sys.executable, "-m", "prefect", "server", "start"]
    with (Path(environment["HOME"]) / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*start, "--host", "127.0.0.1", "--port", str(port)],
            env={**environment, "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(lambda: is_served(address))
    except BaseException:
        process.kill()
        raise
    return address, process.pid


def is_served(address: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/health").is_success
    return False


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.fixture
def server(api, surroundings) -> dict[str, str]:
    """The environment of a client of the running server."""
    return {**surroundings, "PREFECT_API_URL": api}


@pytest.fixture(scope="session")
def template(tmp_path_factory, surroundings) -> Path:
    """A git and DVC repository with five small stages and graft's flows, for tests to copy."""
    folder = tmp_path_factory.mktemp("template")
    for name in ("flows", "graft"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "dvc.yaml").write_text(DVC_YAML)
    (folder / "stage.py").write_text(STAGE)
    (folder / "params.yaml").write_text(PARAMETERS)
    (folder / ".gitignore").write_text("__pycache__/\n/.graft/\n")
    for line in (
        "git init -q -b main && dvc init -q && dvc config core.analytics false",
        "git add --all && git commit -qm 'five stages'",
    ):
        subprocess.run(line, shell=True, cwd=folder, env=surroundings, check=True)
    return folder


@pytest.fixture
def project(template, tmp_path, surroundings, monkeypatch) -> Path:
    """The repository with five small stages. Each stage writes to `../journal` when it ran."""
    monkeypatch.setitem(surroundings, "TOLD", str(tmp_path))
    return shutil.copytree(template, tmp_path / "project")


@pytest.fixture(scope="session")
def evaluated_template(template, tmp_path_factory, surroundings) -> Path:
    """The same with three stages; the last writes a metrics.json of two models from lambda."""
    folder = shutil.copytree(template, tmp_path_factory.mktemp("evaluated") / "project")
    (folder / "dvc.yaml").write_text(SWEEPABLE)
    (folder / "evaluate.py").write_text(EVALUATE)
    (folder / ".gitignore").write_text("__pycache__/\n/.graft/\n/metrics/*\n!/metrics/.keep\n")
    (folder / "metrics").mkdir()
    (folder / "metrics/.keep").touch()
    line = "git add --all && git commit -qm evaluated"
    subprocess.run(line, shell=True, cwd=folder, env=surroundings, check=True)
    return folder


@pytest.fixture
def evaluated(evaluated_template, tmp_path, surroundings, monkeypatch) -> Path:
    """The repository with three stages."""
    monkeypatch.setitem(surroundings, "TOLD", str(tmp_path))
    return shutil.copytree(evaluated_template, tmp_path / "project")


@pytest.fixture(scope="module")
def s3() -> Iterator[fsspec.AbstractFileSystem]:
    """The files of an S3 server on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # of another module's server
        yield fsspec.filesystem("s3", skip_instance_cache=True)
    server.stop()


@pytest.fixture
def bucket(s3) -> Iterator[str]:
    s3.mkdir("graft")
    yield "s3://graft/nightly"
    s3.rm("graft", recursive=True)
