"""The flow on a real server, with real DVC and stages of a second each."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML


def flow(project: Path, environment: dict[str, str], *words: str) -> subprocess.Popen:
    """Start `python -m flows.pipeline`; what it prints goes to `../flow.log`."""
    log = (project.parent / "flow.log").open("w")
    command = [sys.executable, "-m", "flows.pipeline", *words]
    return subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)


def told(project: Path) -> str:
    return (project.parent / "flow.log").read_text()


def finished(project: Path, environment: dict[str, str], *words: str) -> int:
    return flow(project, environment, *words).wait(120)


def journal(project: Path) -> dict[str, list[str]]:
    """What ran, in the order of its end: name -> [began, ended, CUDA_VISIBLE_DEVICES]."""
    path = project.parent / "journal"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return {line.split()[0]: line.split()[1:] for line in lines}


def ours(project: Path) -> list[psutil.Process]:
    """Processes that live in the project's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(project) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            pass
    return found


def hold(project: Path, *names: str) -> None:
    """Make stages wait in the middle."""
    for name in names:
        (project.parent / f"hold-{name}").touch()


def wait_until_held(project: Path, *names: str) -> None:
    wait_for(lambda: all((project.parent / f"holds-{name}").exists() for name in names))


def release(project: Path, *names: str) -> None:
    """Wait until all of them wait, and let them go on."""
    wait_until_held(project, *names)
    for name in names:
        (project.parent / f"hold-{name}").unlink()


def wait_for(what, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_every_stage_runs_once_and_independent_ones_side_by_side(project, server):
    hold(project, "lung", "liver")
    process = flow(project, server)
    release(project, "lung", "liver")  # once both run
    assert process.wait(60) == 0, told(project)
    ran = journal(project)
    assert set(ran) == {"lung", "liver", "first", "second", "both"} and list(ran)[-1] == "both"
    assert all(f"Task run '{name}' - this is {name}" in told(project) for name in ran)
    status = subprocess.run(
        ["dvc", "status"], cwd=project, env=server, capture_output=True, text=True
    )
    assert "up to date" in status.stdout

    assert finished(project, server) == 0
    assert journal(project) == {} and told(project).count("Cached('nothing changed'") == 5

    assert finished(project, server, "-S", "lambda=0.1") == 0
    assert list(journal(project)) == ["lung"]  # its out is as it was, so no other stage has changed
    assert finished(project, server, "-S", "lambda=0.01", "lung") == 0
    assert journal(project) == {} and "Cached('restored by DVC'" in told(project)

    lock, yaml = (project / "dvc.lock").read_text(), YAML(typ="safe")
    (project / "dvc.lock").write_text(
        lock[: len(lock) // 2 + 7]
    )  # as a kill in the middle of writing leaves it
    (project / ".dvc/tmp/rwlock").write_text('{"read": {"')
    assert finished(project, server) == 0, told(project)
    assert journal(project) == {}
    assert yaml.load(project / "dvc.lock") == yaml.load(
        lock
    )  # the stages stand there in the order that they ended in


def test_a_stage_that_fails_ends_the_run_and_lets_independent_ones_finish(project, server):
    (project.parent / "break-first").touch()
    assert finished(project, server) == 1
    assert set(journal(project)) == {"lung", "liver", "second"}
    last = told(project)[told(project).rindex("\nerror: stage first ended with ") :]
    assert "\nerror: first is broken\n" in last
    assert "Traceback" not in told(project)
    (project.parent / "break-first").unlink()
    assert finished(project, server) == 0
    assert set(journal(project)) == {"first", "both"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-S", "lamda=1"], "error: Invalid `--set-param` value: Could not override 'lamda'"),
        (["fist"], "error: targets: got fist, expected some of both, first, liver, lung, second"),
    ],
)
def test_a_wrong_word_is_one_line(project, server, words, message):
    assert finished(project, server, *words) == 1
    assert message in told(project) and "Traceback" not in told(project)
    assert journal(project) == {}


def test_stages_that_train_get_a_gpu_each(project, server):
    subprocess.run(
        ["prefect", "gcl", "create", "gpu", "--limit", "2"],
        env=server,
        check=True,
        capture_output=True,
    )
    hold(project, "first", "second")
    process = flow(project, {**server, "CUDA_VISIBLE_DEVICES": "4,5"})
    release(project, "first", "second")  # once both run
    assert process.wait(60) == 0, told(project)
    ran = journal(project)
    assert {ran["first"][2], ran["second"][2]} == {"4", "5"}
    assert ran["lung"][2] == "4,5"  # asks for none, so nothing is changed
    (project / "stage.py").write_text((project / "stage.py").read_text() + "\n")
    assert finished(project, {**server, "CUDA_VISIBLE_DEVICES": "4"}) == 0, told(project)
    ran = journal(project)
    (_, ended, one), (began, _, other) = sorted(
        (ran["first"], ran["second"]), key=lambda times: float(times[0])
    )
    assert one == other == "4" and float(began) > float(ended)


@pytest.mark.parametrize(
    "kill", [signal.SIGTERM, signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_flow_that_is_ended_leaves_no_process_and_resumes(project, server, kill):
    hold(project, "lung", "liver")
    process = flow(project, server)
    wait_until_held(project, "lung", "liver")
    os.kill(process.pid, kill)
    wait_for(lambda: not ours(project), 10)
    process.wait(10)
    release(project, "lung", "liver")
    assert finished(project, server) == 0, told(project)
    assert set(journal(project)) == {"lung", "liver", "first", "second", "both"}


def test_two_flows_in_one_folder_take_turns(project, server):
    hold(project, "lung")
    first = flow(project, server)
    wait_until_held(project, "lung")
    command = [sys.executable, "-m", "flows.pipeline", "-S", "lambda=0.5"]
    second = subprocess.Popen(
        command,
        cwd=project,
        env=server,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = next(line for line in second.stdout if "waiting for this folder" in line)
    assert "which another run has" in said and "0.01" in (project / "params.yaml").read_text()
    release(project, "lung")
    assert first.wait(60) == 0, told(project)
    rest = second.stdout.read()
    assert second.wait(60) == 0, rest
    ran = (project.parent / "journal").read_text().split("\n")
    assert [line.split()[0] for line in ran if line].count("lung") == 2  # once with each lambda


def test_a_remote_brings_what_another_clone_ran(project, server, tmp_path):
    subprocess.run(
        f"dvc remote add -q shelf {tmp_path / 'shelf'}",
        shell=True,
        cwd=project,
        env=server,
        check=True,
    )
    assert finished(project, server, "--remote", "shelf") == 0, told(project)
    assert len(journal(project)) == 5
    line = "git add --all && git commit -qm ran && git clone -q . ../other"
    subprocess.run(line, shell=True, cwd=project, env=server, check=True)
    other = tmp_path / "other"
    (other / "lung.txt").write_text("what a killed run left")
    assert finished(other, server, "--remote", "shelf") == 0, told(other)
    assert journal(other) == {} and (other / "lung.txt").read_text() == "lung"
