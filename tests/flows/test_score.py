"""The flow on a real server, with a stand-in for the model: alarms, kills, and no names."""

import csv
import json
import logging
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import nibabel
import numpy as np
import pytest

import flows.score
from flows import command
from flows.command import Ended
from flows.model_commands import ModelCommands, _without_quotes
from flows.new_lesions import NewLesion, write_manifest
from graft.common.files import InputError, read_json, sha256
from graft.drift.window import FEWEST, WINDOW
from graft.prediction.identity import model_digest
from tests.commands import run_module
from tests.flows.seen import processes_in
from tests.trained import fitted_values, random_scan, write_trained

ROOT = Path(__file__).parents[2]
# `graft predict` reads a number from each scan, and `graft drift` finds any above 1.
COMMANDS = """
import csv, hashlib, json, os, sys, time
from pathlib import Path

command, *words = sys.argv[1:]
option = dict(zip(words, words[1:]))
told = Path(os.environ["TOLD"])
digests = {}
for name in ("card.json", "weights.safetensors"):
    digests[name] = hashlib.sha256((Path("models/best") / name).read_bytes()).hexdigest()
model = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def predict(line, row):
    about = {"scan": row["image"], "line": line}
    content = (Path(words[0]) / row["image"]).read_text()
    if not content.startswith("voxels"):
        print(f"age is {row['age']}", file=sys.stderr)
        return about | {"reason": f"covariates: age is {row['age']}"}
    found = {"intensity_mean": float(content.split()[1])}
    return about | {"model": model, "probabilities": {}, "measurements": found, "refused": []}


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
    if (told / "fails").exists():
        sys.exit("error: drift: has failed")
    if len(rows) < 3:
        print("error: drift: got 2 scans, expected at least 3")
        sys.exit(4)
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
            file.write(f"{name},{name}.nii.gz,1,2,3,{name},about {name}\n")


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
    reasons = [(row["line"], row["reason"]) for row in first["failures"]]
    assert reasons == [(4, "covariates: cannot be used")]
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


def test_predictions_are_published_although_drift_fails(project, server):
    arrive(project, mueller="voxels 0.5")
    (project.parent / "fails").touch()
    assert start(project, server).wait(120) == 1
    assert (
        "graft drift ended with 1: drift: has failed" in (project.parent / "flow.log").read_text()
    )
    assert len(latest(project)["predictions"]) == 1
    assert (latest(project)["drift"], latest(project)["no_drift"]) == (None, "graft drift failed")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "nowhere"}, "source: is no folder, expected a folder with scans"),
        ({"destination": "."}, "destination: got '.', expected a folder other than the repository"),
        ({"window": 9}, "window: got 9, expected at least 10"),
        ({"most": 0}, "most: got 0, expected at least 1"),
        ({"model": Path("models/none")}, "card.json: is missing|weights.safetensors: is missing"),
    ],
)
def test_what_cannot_be_used_is_one_line(project, monkeypatch, changes, message):
    monkeypatch.chdir(project)
    monkeypatch.setattr(flows.score, "ROOT", project)
    arrive(project, mueller="voxels 0.5")
    usual = {"source": "../incoming", "destination": "../scored", "model": Path("models/best")}
    usual |= {"window": 100, "most": 10}
    with pytest.raises(InputError, match=message):
        flows.score._score(**{**usual, **changes})
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
    with pytest.raises(
        InputError, match="graft drift ended with 1: .* is 'aaaaaaaaaaaa', expected"
    ):
        commands.drift([[row | {"model": "a" * 64} for row in predictions]], 50)
    assert (flows.score.FEWEST, flows.score.WINDOW) == (FEWEST, WINDOW)


@pytest.fixture
def commands_with_age(real_graft) -> ModelCommands:
    """A model that reads an age."""
    covariates = ({"name": "age", "kind": "number", "mean": 60.0, "std": 10.0},)
    write_trained(Path("models/aged"), covariates=covariates, width=2)
    return ModelCommands(real_graft, real_graft / "models/aged", real_graft / "work")


def test_failures_quote_no_cell(commands_with_age):
    columns = ["image", "x", "y", "z", "frame", "diameter_mm", "age"]
    usual = dict(zip(columns, ["", "8", "8", "8", "ras", "5", "60"], strict=True))
    named = ("x", "frame", "diameter_mm", "age")
    rows = [usual | {name: "Jane Roe"} for name in named] + [usual]
    with Path("incoming/manifest.csv").open("w") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        for number, row in enumerate(rows):
            table.writerow(row | {"image": f"patient-{number}.nii.gz"})
    lesions, _ = flows.score._find("incoming", commands_with_age, set(), 100)
    predictions, failures = commands_with_age.predict(lesions)
    assert [row["line"] for row in predictions] == [6]
    assert [row["reason"] for row in failures] == [
        "x: cannot be used",
        "frame: cannot be used",
        "diameter_mm: cannot be used",
        "covariates: cannot be used",
    ]
    assert "jane" not in json.dumps([predictions, failures]).lower()


def test_a_line_break_in_a_cell_moves_no_prediction(commands_with_age):
    rows = ["image,x,y,z,age", 'patient-0.nii.gz,8,8,8,"not\r\nknown\n"']
    rows += [f"patient-{number}.nii.gz,8,8,8,60" for number in (1, 2)]
    Path("incoming/manifest.csv").write_text("\n".join(rows))
    lesions, _ = flows.score._find("incoming", commands_with_age, set(), 100)
    predictions, failures = commands_with_age.predict(lesions)
    scans = [sha256(Path(f"incoming/patient-{number}.nii.gz")) for number in range(3)]
    assert [row["scan"] for row in failures] == scans[:1]
    assert [(row["scan"], row["key"]) for row in predictions] == [
        (scan, lesion.key) for scan, lesion in zip(scans[1:], lesions[1:], strict=True)
    ]


def test_a_manifest_with_a_line_break_is_refused(tmp_path):
    for cells in ({"image": "a", "note": "one\ntwo"}, {"image": "a", "no\rte": "one"}):
        with pytest.raises(InputError, match="has a line break in a heading or a cell"):
            write_manifest(tmp_path, [NewLesion(2, "", "", cells)])


def test_a_command_that_forgets_a_lesion_is_no_result(real_graft):
    commands = ModelCommands(real_graft, real_graft / "models/best", real_graft / "work")
    lesions, _ = flows.score._find("incoming", commands, set(), 100)
    shutil.rmtree("models/best")
    with pytest.raises(InputError, match="graft predict ended with 1: has 0 results, expected one"):
        commands.predict(lesions)


def test_a_lack_of_memory_has_no_key():
    failure = {"reason": "a.nii does not fit in memory, expected a smaller one", "key": "k"}
    assert _without_quotes(failure) == {"reason": "does not fit in memory", "key": None}


def test_a_model_that_changes_during_the_run_publishes_nothing(real_graft, monkeypatch):
    monkeypatch.setattr(flows.score, "ROOT", real_graft)
    monkeypatch.setattr(flows.score, "WORK", real_graft / "work")
    predict = ModelCommands.predict

    def replace_first(commands: ModelCommands, lesions: list[NewLesion]):
        write_trained(commands.model, members=2, fitted=fitted_values())
        return predict(commands, lesions)

    monkeypatch.setattr(ModelCommands, "predict", replace_first)
    monkeypatch.setattr(flows.score, "get_run_logger", lambda: logging.getLogger())
    with pytest.raises(InputError, match="model: changed during the run"):
        flows.score._score("incoming", "scored", real_graft / "models/best", 50, 100)
    assert not Path("scored/runs").exists()


def test_states_of_files_that_are_gone_are_forgotten(real_graft):
    commands = ModelCommands(real_graft, real_graft / "models/best", real_graft / "work")
    flows.score._find("incoming", commands, set(), 100)
    before = read_json(real_graft / "known.json")
    assert len(before) == 13
    lines = Path("incoming/manifest.csv").read_text().splitlines()
    Path("incoming/manifest.csv").write_text("\n".join(lines[:6]))
    flows.score._find("incoming", commands, set(), 100)
    after = read_json(real_graft / "known.json")
    assert len(after) == 5
    assert after.items() <= before.items()
