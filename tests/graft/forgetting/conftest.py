"""A project under git and DVC in which one person is in two domains, made once and copied."""

import csv
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from dvc.repo import Repo
from git import Repo as GitRepo
from pydicom import Dataset
from ruamel.yaml import YAML

from graft.common.files import read_json, write_sealed
from graft.data.task import read_task
from stages import paths, preprocess, split
from tests.small_target import write_model

ROOT = Path(__file__).parents[3]
PERSON = "Bartholomew-Loud-7"
OTHER = "Bartholomew-Loud-71"  # whose name begins with that of the person
PATIENTS = 12
SIZE = (40, 40)  # of a slice: most of its file are pixels
KEY = "0123456789abcdef-secret"
DVC_YAML = """stages:
  preprocess:
    foreach: ${domains}
    do:
      cmd: python -m stages.preprocess
      deps:
        - ${item.path}
      outs:
        - data/processed/${key}
  split:
    foreach: ${domains}
    do:
      cmd: python -m stages.split
      deps:
        - data/processed/${key}
      outs:
        - data/splits/${key}.csv
  pretrain:
    cmd: python -m stages.pretrain
    deps:
      - data/processed/lung
      - data/splits/lung.csv
    outs:
      - models/pretrained
  evaluate:
    cmd: python -m stages.evaluate
    deps:
      - data/processed/liver
      - data/splits/liver.csv
    outs:
      - metrics/predictions.csv
"""


def patient(number: int) -> str:
    """The name of a patient of both domains."""
    return {3: PERSON, 4: OTHER}.get(number, f"Patient-{number:03}")


def isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Let git, DVC and graft read nothing of the user's environment but `home`."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_"))]:
        patch.delenv(name)
    patch.setenv("HOME", str(home))
    patch.setenv("DVC_SITE_CACHE_DIR", str(home / "dvc"))
    patch.setenv("GRAFT_PATIENT_KEY", KEY)
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(scope="session")
def template(tmp_path_factory, write_series) -> Path:
    folder = tmp_path_factory.mktemp("forgetting") / "project"
    folder.mkdir()
    home = folder.with_name("home")
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = graft\nemail = graft@example.org\n")
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, home)
        patch.chdir(folder)
        write_parameters(folder)
        write_lung(folder / "data/raw/lung", write_series)
        write_liver(folder / "data/raw/liver")
        (folder / "dvc.yaml").write_text(DVC_YAML)
        (folder / ".gitignore").write_text("/data/\n/metrics/\n/models/\n/.graft/\n")
        GitRepo.init(folder)
        Repo.init(str(folder)).close()
        run_stages()
    return folder


@pytest.fixture
def project(template, tmp_path, monkeypatch) -> Path:
    """A copy, which is the working directory."""
    isolate(monkeypatch, template.with_name("home"))
    folder = shutil.copytree(template, tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def run_stages() -> None:
    """What `dvc repro` does, in this process."""
    for name in ("lung", "liver"):
        preprocess.main(name)
        split.main(name)
    write_pretrained(Path("models/pretrained"))
    Path("metrics").mkdir(exist_ok=True)
    index = Path("data/processed/liver/index.csv").read_text()
    Path("metrics/predictions.csv").write_text(index)
    with Repo() as repo:
        repo.commit(force=True)
    checkout = GitRepo()
    checkout.git.add("--all")
    checkout.git.commit("-qm", "results")


def write_pretrained(folder: Path) -> None:
    """A model whose card names the training part of the lung, with predictions by row number."""
    write_model(folder)
    task = read_task(paths.processed("lung"), paths.split("lung"), torch.device("cpu"))
    card = read_json(folder / "card.json")
    write_sealed(folder / "card.json", card | {"data": task.sha256()})
    (folder / "out_of_fold.csv").write_text("sample,p\n3,0.5\n")


def write_parameters(folder: Path) -> None:
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["preprocess"] = {"patch": [4, 4, 4], "spacing": [1.0, 1.0, 1.0]}
    for name, domain in params["domains"].items():
        domain["path"] = f"data/raw/{name}"
        domain["split"] |= {"external": None, "test": 0.3, "labelled": 1.0, "folds": 2}
    params["domains"]["liver"]["window"] = [0, 1]
    yaml.dump(params, folder / "params.yaml")


def write_lung(raw: Path, write_series) -> None:
    """A DICOM series for each patient, and a mask that the person shares with nobody."""
    rows = [("patient", "image", "label", "x", "y", "z", "diameter_mm", "comment")]
    for number in range(PATIENTS):
        name = patient(number)

        def change(made: Dataset, k: int, number: int = number) -> None:
            made.PatientName, made.PatientID = f"Loud^Number{number}", f"HOSP-{number:04}-XQ"
            made.StudyInstanceUID = f"2.25.8888{number}"
            made.SeriesInstanceUID = f"2.25.9999{number}"
            noise = np.random.default_rng([number, k]).integers(-1000, 1000, SIZE, np.int16)
            made.PixelData = noise.tobytes()

        write_series(raw / f"scan{number}/CT", size=SIZE, change=change)
        label = ("benign", "malignant")[number % 2]
        rows.append((name, f"scan{number}/CT", label, 28, 17, 107, 8, "two\nlines, one cell"))
        if name == PERSON:
            rows.append((name, f"scan{number}/CT", label, 30, 17, 107, 9, ""))
    with (raw / "manifest.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, lineterminator="\r\n").writerows(rows)


def write_liver(raw: Path) -> None:
    """Two images of each patient as arrays."""
    raw.mkdir(parents=True)
    labels = np.repeat(np.arange(PATIENTS), 2) % 2
    images = np.random.default_rng(3).random((len(labels), 5, 5, 5), np.float32)
    images[labels == 1, 1:3] += 0.2
    np.save(raw / "data.npy", images)
    np.save(raw / "labels.npy", labels)
    np.save(raw / "groups.npy", np.array([patient(number // 2) for number in range(len(labels))]))
