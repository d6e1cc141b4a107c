"""The flow on a real server, with a stand-in for the model: alarms, kills, and no names."""

import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import nibabel
import numpy as np
import psutil
import pytest

import flows.score
from flows import command
from flows.command import Ended
from flows.model_commands import ModelCommands
from graft.common.files import InputError
from graft.prediction.identity import model_digest
from tests.commands import run_module
from tests.trained import fitted_values, random_scan, write_trained

ROOT = Path(__file__).parents[2]
# `graft predict` reads a number from each scan, and `graft drift` finds any above 1.
COMMANDS = """
import csv, json, os, sys, time
from pathlib import Path

command, *words = sys.argv[1:]
option = dict(zip(words, words[1:]))
told = Path(os.environ["TOLD"])


def predict(line, row):
    about = {"scan": row["image"], "line": line}
    content = (Path(words[0]) / row["image"]).read_text()
    if not content.startswith("voxels"):
        print(f"{row['image']}: is damaged")
        return about | {"reason": "is damaged"}
    found = {"intensity_mean": float(content.split()[1])}
    return about | {"probabilities": {}, "measurements": found, "refused": []}


if command == "predict":
    if (told / "hold").exists():
        (told / "holds").touch()
        time.sleep(600)
    lines = enumerate(csv.DictReader(open(Path(words[0]) / "manifest.csv")), start=2)
    rows = [predict(line, row) for line, row in lines]
    found = {"predictions": [row for row in rows if "reason" not in row]}
    found["failures"] = [row for row in rows if "reason" in row]
    out = Path(option["--out"])
    out.mkdir(parents=True)
    (out / "predictions.json").write_text(json.dumps(found))
else:
    rows = []
    for file in words[: words.index("--model")]:
        rows += json.loads(Path(file).read_text())["predictions"]
    if len(rows) < 3:
        sys.exit("error: drift: got 2 scans, expected at least 3")
    alarm = max(row["measurements"]["intensity_mean"] for row in rows) > 1
    test = {"name": "intensity_mean", "topic": "intensities", "test": "KS"}
    tests = [test | {"p_holm": 0.0, "is_alarm": alarm}]
    drift = {"scans": len(rows), "alarm": alarm, "tests": tests}
    Path(option["--out"]).write_text(json.dumps(drift))
"""


@pytest.fixture(scope="module")
def scoring_template(tmp_path_factory) -> Path:
    """graft's flows, the part of graft that they import, a stand-in for its commands, a model."""
    folder = tmp_path_factory.mktemp("scoring") / "project"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "flows", folder / "flows", ignore=ignored)
    shutil.copytree(ROOT / "graft/common", folder / "graft/common", ignore=ignored)
    (folder / "graft/__init__.py").touch()
    (folder / "graft/__main__.py").write_text(COMMANDS)
    (folder / "models/best").mkdir(parents=True)
    (folder / "models/best/card.json").write_text('{"covariates": [{"name": "age"}]}')
    (folder / "models/best/weights.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def project(scoring_template, tmp_path, surroundings, monkeypatch) -> Path:
    monkeypatch.setitem(surroundings, "TOLD", str(tmp_path))
    return shutil.copytree(scoring_template, tmp_path / "project")


def arrive(project: Path, **scans: str) -> None:
    """Put scans into the folder of new scans, each named after a patient."""
    folder = project.parent / "incoming"
    folder.mkdir(exist_ok=True)
    manifest = folder / "manifest.csv"
    if not manifest.exists():
        manifest.write_text("patient,image,x,y,z,age,note\n")
    with manifest.open("a") as file:
        for name, content in scans.items():
            (folder / f"{name}.nii.gz").write_text(content)
            file.write(f"{name},{name}.nii.gz,1,2,3,50,about {name}\n")


def start(project: Path, environment: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "flows.score", "../incoming", "../scored"]
    with (project.parent / "flow.log").open("a") as log:
        return subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)


def score(project: Path, environment: dict[str, str]) -> dict:
    """Run the flow; returns what it publishes."""
    process = start(project, environment)
    assert process.wait(120) == 0, (project.parent / "flow.log").read_text()
    return latest(project)


def latest(project: Path) -> dict:
    return json.loads((project.parent / "scored/latest.json").read_text())


def alarms(api: str, project: Path) -> list[dict]:
    """The alarms on the server about what this project published."""
    wanted = {"filter": {"event": {"name": ["graft.drift.alarm"]}}, "limit": 50}
    found = httpx.post(f"{api}/events/filter", json=wanted).json()["events"]
    runs = {path.name for path in (project.parent / "scored/runs").iterdir()}
    return [event for event in found if Path(event["payload"]["document"]).name in runs]


def wait_until(what, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_nights_publish_new_scans_once_and_a_change_raises_one_alarm(project, server, api):
    arrive(project, mueller="voxels 0.5", mayer="voxels 0.6", broken="no scan")
    first = score(project, server)
    assert [row["line"] for row in first["predictions"]] == [2, 3]
    assert [(row["line"], row["reason"]) for row in first["failures"]] == [(4, "is damaged")]
    assert first["no_drift"] == "drift: got 2 scans, expected at least 3"

    quiet = score(project, server)
    assert (quiet["predictions"], quiet["failures"]) == ([], [])
    assert (quiet["drift"], quiet["no_drift"]) == (None, "no new scans")
    assert alarms(api, project) == []

    arrive(project, weber="voxels 5")
    changed = score(project, server)
    assert [row["line"] for row in changed["predictions"]] == [5]
    assert (changed["drift"]["scans"], changed["drift"]["alarm"]) == (3, True)
    wait_until(lambda: alarms(api, project))
    [event] = alarms(api, project)
    assert event["payload"]["tests"] == ["intensity_mean"]
    assert event["payload"]["scans"] == 3

    told = (project.parent / "flow.log").read_text()
    shown = httpx.post(f"{api}/artifacts/filter", json={}).text
    files = [path.read_text() for path in (project.parent / "scored").rglob("*.json")]
    for name in ("mueller", "mayer", "broken", "weber", str(project.parent)):
        assert not any(name in text for text in (told, shown, *files)), name
    assert not (project / ".graft/score").exists()  # no copy of a scan is left


def test_a_killed_run_leaves_no_process_and_the_next_one_publishes_once(project, server):
    arrive(project, mueller="voxels 0.5")
    (project.parent / "hold").touch()
    process = start(project, server)
    try:
        wait_until((project.parent / "holds").exists)
        second = start(project, server)
        log = project.parent / "flow.log"
        wait_until(lambda: "waiting for this folder" in log.read_text())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (project.parent / "hold").unlink()
    assert second.wait(120) == 0, log.read_text()
    wait_until(lambda: not processes_in(project))
    assert len(latest(project)["predictions"]) == 1
    assert len(list((project.parent / "scored/runs").iterdir())) == 1
    assert not (project / ".graft/score").exists()


def processes_in(project: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(project) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "nowhere"}, "source: is no folder, expected a folder with scans"),
        ({"destination": "."}, "destination: got '.', expected a folder other than the repository"),
        ({"model": Path("models/none")}, "card.json: is missing|weights.safetensors: is missing"),
    ],
)
def test_what_cannot_be_used_is_one_line(project, monkeypatch, changes, message):
    monkeypatch.chdir(project)
    monkeypatch.setattr(flows.score, "ROOT", project)
    arrive(project, mueller="voxels 0.5")
    usual = {"source": "../incoming", "destination": "../scored", "model": Path("models/best")}
    with pytest.raises(InputError, match=message):
        flows.score._score(**{**usual, **changes}, window=100, most=10)
    assert not (project.parent / "scored").exists()


@pytest.mark.parametrize("is_older", [False, True])
def test_the_digest_of_a_model_is_that_of_its_predictions(tmp_path, is_older):
    for name in ("weights.safetensors", "card.json", *([] if is_older else ["fitted.json"])):
        (tmp_path / name).write_text(name)
    assert ModelCommands(tmp_path, tmp_path, tmp_path).digest() == model_digest(tmp_path)


@pytest.fixture
def real_graft(tmp_path, monkeypatch) -> Path:
    """A folder with a model and 12 scans, for which the commands run in this process."""
    monkeypatch.chdir(tmp_path)
    reference = {"intensity_mean": np.linspace(0.45, 0.55, 28).tolist()}
    fitted = fitted_values()
    familiar = replace(fitted.familiar, reference=reference)
    write_trained(Path("models/best"), fitted=replace(fitted, familiar=familiar))
    Path("incoming").mkdir()
    rows = ["image,x,y,z"]
    for number in range(12):
        scan = nibabel.Nifti1Image(random_scan(seed=number), np.eye(4))
        nibabel.save(scan, f"incoming/patient-{number}.nii.gz")
        rows.append(f"patient-{number}.nii.gz,8,8,8")
    Path("incoming/broken.nii.gz").write_bytes(b"no scan")
    rows.append("broken.nii.gz,8,8,8")
    Path("incoming/manifest.csv").write_text("\n".join(rows))

    def run(words: list[str], root: Path) -> Ended:
        done = run_module(*words[words.index("-m") + 1 :])
        return Ended(done.returncode, (done.stdout + done.stderr).splitlines(), False)

    monkeypatch.setattr(command, "run_command", run)
    monkeypatch.setattr(flows.score, "KNOWN", tmp_path / "known.json")
    (tmp_path / "work/scans").mkdir(parents=True)
    return tmp_path


def test_the_commands_of_graft_accept_what_the_flow_gives_them(real_graft):
    commands = ModelCommands(real_graft, real_graft / "models/best", real_graft / "work")
    lesions, failures = flows.score._find("incoming", commands, set(), 100)
    predictions, failed = commands.predict(lesions)
    assert failures == []
    assert [row["line"] for row in predictions] == list(range(2, 14))
    assert [row["line"] for row in failed] == [14]
    assert "broken" not in json.dumps(failed)
    assert {row["model"] for row in predictions} == {commands.digest()}
    drift, why_not = commands.drift([predictions[6:], predictions[:6]], 50)
    assert why_not is None
    assert drift["scans"] == 12
    assert [test["name"] for test in drift["tests"]] == ["refused", "intensity_mean"]
    few, why_not = commands.drift([predictions[:3]], 50)
    assert few is None
    assert why_not.startswith("drift: got 3 scans, expected at least 10")
