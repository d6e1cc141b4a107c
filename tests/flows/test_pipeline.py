"""The flow on a real server, with real DVC and stages of a moment each."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML

from flows import pipeline
from graft.common.parameters import read_parameter_file
from tests.flows.seen import processes_in

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
OTHER_SIGNALS = (signal.SIGHUP, signal.SIGINT)


def start_flow(project: Path, environment: dict[str, str], *words: str) -> subprocess.Popen:
    """Start `python -m flows.pipeline`; what it prints goes to `../flow.log`."""
    log = (project.parent / "flow.log").open("w")
    command = [sys.executable, "-m", "flows.pipeline", *words]
    return subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)


def flow_log(project: Path) -> str:
    return (project.parent / "flow.log").read_text()


def run_flow(project: Path, environment: dict[str, str], *words: str) -> int:
    return start_flow(project, environment, *words).wait(120)


def journal(project: Path) -> dict[str, list[str]]:
    """What ran, in the order of its end, as name -> [began, ended, CUDA_VISIBLE_DEVICES]."""
    path = project.parent / "journal"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return {line.split()[0]: line.split()[1:] for line in lines}


def hold(project: Path, *names: str) -> None:
    """Make stages wait in the middle."""
    for name in names:
        (project.parent / f"hold-{name}").touch()


def wait_until_held(project: Path, *names: str) -> None:
    wait_for(lambda: all((project.parent / f"holds-{name}").exists() for name in names))


def release(project: Path, *names: str) -> None:
    """Wait until all of them wait, and let them continue."""
    wait_until_held(project, *names)
    for name in names:
        (project.parent / f"hold-{name}").unlink()


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_every_stage_runs_once_and_independent_ones_side_by_side(project, server):
    hold(project, "lung", "liver")
    process = start_flow(project, server)
    release(project, "lung", "liver")  # once both run
    assert process.wait(60) == 0, flow_log(project)
    ran = journal(project)
    assert set(ran) == {"lung", "liver", "first", "second", "both"}
    assert list(ran)[-1] == "both"
    assert all(f"Task run '{name}' - this is {name}" in flow_log(project) for name in ran)
    command = ["dvc", "status"]
    status = subprocess.run(command, cwd=project, env=server, capture_output=True, text=True)
    assert "up to date" in status.stdout

    assert run_flow(project, server) == 0
    assert journal(project) == {}
    assert flow_log(project).count("Cached('nothing changed'") == 5

    assert run_flow(project, server, "-S", "lambda=0.1") == 0
    assert list(journal(project)) == ["lung"]  # its output is the same, so no other stage ran
    assert run_flow(project, server, "-S", "lambda=0.01", "lung") == 0
    assert journal(project) == {}
    assert "Cached('restored by DVC'" in flow_log(project)


def test_torn_lock_files_are_mended(project, server):
    assert run_flow(project, server, "first") == 0, flow_log(project)
    assert list(journal(project)) == ["lung", "first"]
    lock = (project / "dvc.lock").read_text()
    torn = lock[: len(lock) // 2 + 7]  # as a kill in the middle of writing leaves it
    (project / "dvc.lock").write_text(torn)
    (project / ".dvc/tmp/rwlock").write_text('{"read": {"')
    assert run_flow(project, server, "first") == 0, flow_log(project)
    assert journal(project) == {}
    yaml = YAML(typ="safe")  # the order of the stages may differ: it is that in which they ended
    assert yaml.load(project / "dvc.lock") == yaml.load(lock)


def test_a_stage_that_fails_ends_the_run_and_lets_independent_ones_finish(project, server):
    (project.parent / "break-first").touch()
    assert run_flow(project, server) == 1
    assert set(journal(project)) == {"lung", "liver", "second"}
    last = flow_log(project)[flow_log(project).rindex("\nerror: stage first ended with ") :]
    assert "\nerror: first is broken\n" in last
    assert "Traceback" not in flow_log(project)
    (project.parent / "break-first").unlink()
    assert run_flow(project, server) == 0
    assert set(journal(project)) == {"first", "both"}


SECRET = "lambda=${oc.env:TOP_SECRET}"
WRONG_WORDS = {
    "params.yaml: lamda: unknown key, did you mean 'lambda'?": ["-S", "lamda=1"],
    "destination: got '', expected a folder other than": ["--destination", ""],
    "targets: got fist, expected some of both, first, liver, lung, second": ["fist"],
    "overrides: lambda: got '${oc.env:TOP_SECRET}', expected a ": ["-S", SECRET],
}
RUN_EACH = """
import json, sys
from flows import pipeline
for words in json.loads(sys.argv[1]):
    sys.argv = ["flows.pipeline", *words]
    try:
        pipeline.run_command_line(pipeline.main)
    except SystemExit as ended:
        print("ended with", ended.code, flush=True)
"""


def test_an_unknown_key_stage_or_destination_and_a_secret_are_one_line_each(project, server):
    environment = {**server, "TOP_SECRET": "sesame-open"}
    before = (project / "params.yaml").read_text()
    command = [sys.executable, "-c", RUN_EACH, json.dumps(list(WRONG_WORDS.values()))]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    told = done.stdout + done.stderr
    ends = [line for line in done.stdout.splitlines() if line.startswith("ended with ")]
    for message, end in zip(WRONG_WORDS, ends, strict=True):
        assert end.startswith(f"ended with error: {message}")
    assert "Traceback" not in told
    assert "sesame-open" not in told
    assert journal(project) == {}
    assert (project / "params.yaml").read_text() == before


def test_stages_that_train_get_a_gpu_each(project, server):
    limit = {"name": "gpu", "limit": 2}  # as `prefect gcl create gpu --limit 2` does
    made = httpx.post(f"{server['PREFECT_API_URL']}/v2/concurrency_limits/", json=limit)
    assert made.is_success
    hold(project, "first", "second")
    process = start_flow(project, {**server, "CUDA_VISIBLE_DEVICES": "4,5"}, "first", "second")
    release(project, "first", "second")  # once both run
    assert process.wait(60) == 0, flow_log(project)
    ran = journal(project)
    assert {ran["first"][2], ran["second"][2]} == {"4", "5"}
    assert ran["lung"][2] == "4,5"  # it asks for none, so nothing is changed
    words = ("-S", "epochs=6", "first", "second")
    assert run_flow(project, {**server, "CUDA_VISIBLE_DEVICES": "4"}, *words) == 0
    ran = journal(project)
    earlier, later = sorted((ran["first"], ran["second"]), key=lambda times: float(times[0]))
    assert earlier[2] == later[2] == "4"
    assert float(later[0]) > float(earlier[1])  # the later one began after the earlier one ended


@pytest.mark.parametrize(
    "kill",
    [signal.SIGKILL, *(pytest.param(s, marks=pytest.mark.slow) for s in ENDING_SIGNALS)],
)
def test_a_flow_that_is_ended_leaves_no_process_and_resumes(project, server, kill):
    hold(project, "lung", "liver")
    process = start_flow(project, server, "lung", "liver")
    wait_until_held(project, "lung", "liver")
    os.kill(process.pid, kill)
    wait_for(lambda: not processes_in(project), 10)
    process.wait(10)
    release(project, "lung", "liver")
    assert run_flow(project, server, "first") == 0, flow_log(project)
    assert list(journal(project)) == ["lung", "first"]


@pytest.mark.parametrize(
    "kill", [signal.SIGTERM, *(pytest.param(s, marks=pytest.mark.slow) for s in OTHER_SIGNALS)]
)
def test_a_signal_ends_the_temporary_server_as_well(project, surroundings, kill):
    hold(project, "lung")
    # Without the address of a server, and with time to start one on a busy machine.
    environment = {**surroundings, "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    process = start_flow(project, environment, "lung")
    wait_for(lambda: (project.parent / "holds-lung").exists(), 180)
    assert any("uvicorn" in alive.cmdline() for alive in processes_in(project))
    os.kill(process.pid, kill)
    wait_for(lambda: not processes_in(project))
    assert process.wait(60) != 0
    release(project, "lung")


def test_a_change_since_the_run_began_is_one_line(project, monkeypatch):
    monkeypatch.setattr(pipeline, "ROOT", project)
    began = read_parameter_file(project / "params.yaml")
    assert pipeline._change_since(began) is None
    (project / "params.yaml").write_text("lambda: 0.7\nepochs: 5\n")
    expected = "params.yaml: lambda: changed from 0.01 to 0.7 during this run, so nothing was "
    assert pipeline._change_since(began).startswith(expected)


@pytest.mark.slow
def test_a_change_of_params_yaml_during_a_run_is_reported(project, server):
    hold(project, "liver")
    process = start_flow(project, server, "liver")
    wait_until_held(project, "liver")
    busy = ["dvc", "exp", "run", "-S", "lambda=0.7", "liver"]  # DVC refuses it, but after writing
    done = subprocess.run(busy, cwd=project, env=server, capture_output=True, text=True)
    assert "is busy" in done.stderr
    release(project, "liver")
    assert process.wait(60) == 1
    assert "error: params.yaml: lambda: changed from 0.01 to 0.7 during this" in flow_log(project)
    assert "Traceback" not in flow_log(project)
    assert run_flow(project, server, "liver") == 0, flow_log(project)


@pytest.mark.slow
def test_two_flows_in_one_folder_take_turns(project, server):
    hold(project, "lung")
    first = start_flow(project, server, "lung")
    wait_until_held(project, "lung")
    command = [sys.executable, "-m", "flows.pipeline", "-S", "lambda=0.5", "lung"]
    second = subprocess.Popen(
        command,
        cwd=project,
        env=server,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    waiting = next(line for line in second.stdout if "waiting for this folder" in line)
    assert "which another run uses" in waiting
    assert "0.01" in (project / "params.yaml").read_text()
    release(project, "lung")
    assert first.wait(60) == 0, flow_log(project)
    rest = second.stdout.read()
    assert second.wait(60) == 0, rest
    lines = (project.parent / "journal").read_text().splitlines()
    names = [line.split()[0] for line in lines]
    assert names.count("lung") == 2  # once with each lambda


def test_a_remote_brings_what_another_clone_ran(project, server, tmp_path):
    command = ["dvc", "remote", "add", "-q", "shelf", str(tmp_path / "shelf")]
    subprocess.run(command, cwd=project, env=server, check=True)
    assert run_flow(project, server, "--remote", "shelf", "first") == 0, flow_log(project)
    assert list(journal(project)) == ["lung", "first"]
    line = "git add --all && git commit -qm ran && git clone -q . ../other"
    subprocess.run(line, shell=True, cwd=project, env=server, check=True)
    other = tmp_path / "other"
    (other / "lung.txt").write_text("left by a killed run")
    assert run_flow(other, server, "--remote", "shelf", "first") == 0, flow_log(other)
    assert journal(other) == {}
    assert (other / "lung.txt").read_text() == "lung"
