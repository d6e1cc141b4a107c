import csv
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import psutil
import pytest
from ruamel.yaml import YAML

from graft.common.vocabulary import PARTS
from graft.data.domain import Domain
from graft.keys.pseudonyms import PUBLISHED_KEY, pseudonym
from stages import preprocess, split
from tests.commands import run_module
from tests.processed import read_parts

ROOT = Path(__file__).parents[2]
PATIENTS = 12  # of each class
SHAPE = (16, 16, 16)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with params.yaml and raw data of 24 patients, a third of each class at site-b."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["domains"]["lung"] |= {"path": "raw", "window": [0, 1]}
    params["preprocess"] = {"patch": [8, 8, 8], "spacing": [1.0, 1.0, 1.0]}
    yaml.dump(params, tmp_path / "params.yaml")
    (tmp_path / "raw").mkdir()
    rng = np.random.default_rng(0)
    with (tmp_path / "raw" / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient", "image", "label", "x", "y", "z", "site", "diameter_mm"))
        for number in range(2 * PATIENTS):
            scan = nibabel.Nifti1Image(rng.random(SHAPE, np.float32), np.eye(4))
            nibabel.save(scan, tmp_path / "raw" / f"{number}.nii.gz")
            label = ("benign", "malignant")[number % 2]
            site = "site-b" if number % 6 < 2 else "site-a"
            table.writerow(
                (f"Jane Doe {number}", f"{number}.nii.gz", label, 8, 8, 8, site, 5 + number % 2)
            )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_raw_volumes_become_a_domain_and_its_split(project, capsys):
    preprocess.main("lung")
    out = capsys.readouterr().out
    assert "lung: 24 lesions of 24 patients, images (1, 8, 8, 8)" in out
    assert "site site-b: 8 lesions of 8 patients" in out
    assert "size alone (diameter in mm) has AUROC 1.000 for malignant" in out
    split.main("lung")
    table = capsys.readouterr().out.splitlines()
    # 8 of each class are not at site-b: round(1.2) = 1 to test, 1 to validate, 6 to train
    rows = [line.split() for line in table if line.startswith(PARTS)]
    counts = {part: int(number) for part, number, *_ in rows}
    assert counts == {"train": 6, "validation": 1, "test": 1, "external": 4}
    index = Domain.read(project / "data/processed/lung").index
    is_external = read_parts("lung", project) == "external"
    assert list(is_external) == list(index["site"] == "site-b")


def test_no_patient_is_named_in_what_is_written(project):
    preprocess.main("lung")
    written = contents(project / "data/processed/lung")
    assert set(written) == {"images.npy", "index.csv", "domain.json", "scans.csv"}
    assert not any(b"Jane" in content for content in written.values())


def test_two_runs_write_the_same_bytes(project):
    preprocess.main("lung")
    first = contents(project / "data/processed/lung")
    preprocess.main("lung")
    assert contents(project / "data/processed/lung") == first


def test_bad_input_raises_an_error_and_keeps_the_earlier_output(project):
    preprocess.main("lung")
    before = contents(project / "data/processed/lung")
    scan = project / "raw" / "7.nii.gz"
    scan.write_bytes(scan.read_bytes()[:-9])
    done = run_module("stages.preprocess", "lung")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: raw/manifest.csv:9: raw/7.nii.gz: cannot be read, it may be cut short"
    )
    assert done.stderr.count("\n") == 1
    assert contents(project / "data/processed/lung") == before
    assert sorted(path.name for path in (project / "data/processed").iterdir()) == ["lung"]


@pytest.mark.parametrize(
    "words, message",
    (
        (("stages.preprocess",), "Missing argument 'name'"),
        (("stages.phantom", "brain"), "'brain' is not one of 'lung', 'liver', 'liver_mr', "),
        (("stages.finetune", "sideways"), "'sideways' is not one of 'transfer', 'scratch'"),
        (("stages.ensemble", "stacking"), "'stacking' is not one of 'bagging', 'boosting'"),
    ),
)
def test_a_wrong_argument_is_a_usage_error(project, words, message):
    done = run_module(*words)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    "words, message",
    (
        (
            ("stages.preprocess", "brain"),
            "error: params.yaml: domains.brain: 'brain' is missing, found lung, liver",
        ),
        (("stages.preprocess", "../lung"), "error: domains: got '../lung', expected at most 64"),
        (("stages.split", "a;touch x"), "error: domains: got 'a;touch x', expected at most 64"),
        (
            ("stages.split", "lung"),
            "error: data/processed/lung/domain.json: is missing, expected a file",
        ),
    ),
)
def test_an_unknown_or_unread_domain_raises_an_error(project, words, message):
    done = run_module(*words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(message)


PUBLISHED = "  pseudonyms: published key: anyone with a list of names can find the patients"


def written_key(project: Path) -> str:
    return Domain.read(project / "data/processed/lung").patient_key


def point_at(path: str) -> None:
    params = YAML().load(Path("params.yaml"))
    params["domains"]["lung"]["path"] = path
    YAML().dump(params, Path("params.yaml"))


def test_real_patients_get_a_private_key(project, capsys):
    preprocess.main("lung")
    assert re.fullmatch("[0-9a-f]{8}", written_key(project))
    assert "published" not in capsys.readouterr().out


def test_the_published_key_for_real_patients_is_named_in_the_last_line(
    project, capsys, monkeypatch
):
    monkeypatch.setenv("GRAFT_PATIENT_KEY", f" {PUBLISHED_KEY}\n")
    preprocess.main("lung")
    assert written_key(project) == "published"
    assert capsys.readouterr().out.splitlines()[-1] == PUBLISHED


def test_the_phantom_has_the_published_key_whatever_the_environment_says(
    project, capsys, monkeypatch
):
    monkeypatch.setenv("GRAFT_PATIENT_KEY", "short")
    Path("data/phantom").mkdir(parents=True)
    Path("raw").rename("data/phantom/lung")
    point_at("data/phantom/lung")
    preprocess.main("lung")
    assert written_key(project) == "synthetic"
    assert capsys.readouterr().out.splitlines()[-1] == (
        "  pseudonyms: published key, synthetic patients"
    )
    first = pseudonym("Jane Doe 0", PUBLISHED_KEY)
    assert Domain.read(project / "data/processed/lung").index["patient"][0] == first


def beside_the_phantom() -> str:
    Path("raw").rename("data/phantom/mine")
    return "data/phantom/mine"


def linked_as_the_phantom() -> str:
    Path("data/phantom/lung").symlink_to(Path("raw").resolve())
    return "data/phantom/lung"


def through_the_phantom() -> str:
    return "data/phantom/../../raw"


@pytest.mark.parametrize("place", [beside_the_phantom, linked_as_the_phantom, through_the_phantom])
def test_real_data_near_the_phantom_gets_a_private_key(project, place):
    Path("data/phantom").mkdir(parents=True)
    point_at(place())
    preprocess.main("lung")
    assert re.fullmatch("[0-9a-f]{8}", written_key(project))


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the stage so that it reads even small scans in two processes."""
    program = (
        "from graft.scans import domain; domain.MIN_PARALLEL_BYTES = 0\n"
        "from graft.console import run; from stages import preprocess\n"
        "run(preprocess.main)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, "lung"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "GRAFT_WORKERS": "2"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def make_slow(project: Path) -> None:
    """Make each scan take a tenth of a second to read."""
    rng = np.random.default_rng(0)
    shape = (256, 256, 256)
    for number in range(2 * PATIENTS):
        voxels = np.zeros(shape, np.int8)
        voxels[:16, :16, :16] = rng.integers(0, 2, SHAPE)
        scan = nibabel.Nifti1Image(voxels, np.eye(4))
        nibabel.save(scan, project / "raw" / f"{number}.nii.gz")


def wait_for_entries(project: Path, count: int) -> list[Path]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        entries = list((project / ".graft/scans/lung").glob("*.scan"))
        if len(entries) >= count:
            return entries
        time.sleep(0.01)
    raise AssertionError("no scan was read")


def workers_of(stage: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(stage.pid).children()
    return [child for child in children if "LokyProcess" in " ".join(child.cmdline())]


@pytest.mark.slow
def test_a_killed_worker_gives_one_message_and_the_next_run_resumes(project):
    make_slow(project)
    stage = start(project)
    wait_for_entries(project, 2)
    workers_of(stage)[0].kill()
    _, err = stage.communicate(timeout=60)
    assert stage.returncode == 1
    assert err.startswith("error: a worker process was killed, perhaps because the memory was full")
    assert err.count("\n") == 1
    kept = wait_for_entries(project, 2)
    times = {path: path.stat().st_ino for path in kept}
    assert not list((project / "data/processed").iterdir())
    preprocess.main("lung")
    assert {path: path.stat().st_ino for path in kept} == times
    first = contents(project / "data/processed/lung")
    shutil.rmtree(project / ".graft")
    preprocess.main("lung")
    assert contents(project / "data/processed/lung") == first


@pytest.mark.slow
def test_a_killed_stage_leaves_no_worker_and_the_next_run_resumes(project):
    make_slow(project)
    stage = start(project)
    kept = wait_for_entries(project, 2)
    inodes = {path: path.stat().st_ino for path in kept}
    workers = workers_of(stage)
    stage.kill()
    stage.communicate()
    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert len(gone) == 2
    assert not alive
    preprocess.main("lung")
    assert {path: path.stat().st_ino for path in kept} == inodes
    assert [path.name for path in (project / "data/processed").iterdir()] == ["lung"]
    assert not list((project / ".graft/scans/lung").glob(".*"))


@pytest.mark.slow
def test_two_runs_at_once_write_the_same_bytes(project):
    stages = [start(project, GRAFT_WORKERS="1") for _ in range(2)]
    for stage in stages:
        out, err = stage.communicate(timeout=100)
        assert (stage.returncode, err) == (0, "")
        assert "lung: 24 lesions" in out
    first = contents(project / "data/processed/lung")
    assert [path.name for path in (project / "data/processed").iterdir()] == ["lung"]
    shutil.rmtree(project / ".graft")
    preprocess.main("lung")
    assert contents(project / "data/processed/lung") == first


@pytest.mark.parametrize("limit", [1000, 15_000])
def test_a_full_disk_is_one_line(project, limit):
    """An entry of the cache has 1,500 bytes, and images.npy 25,000."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.preprocess", "lung"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, preexec_fn=limited
    )
    assert done.returncode == 1
    assert done.stderr == "error: data/processed/lung: File too large\n"
    assert not list(Path("data/processed").iterdir())
