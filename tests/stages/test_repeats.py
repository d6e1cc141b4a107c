"""The stages that train many times, on real files with tiny images."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from graft.common.files import InputError, write_json
from graft.data.domain import Domain, write_domain
from graft.networks import saved
from graft.networks.build import build_network
from graft.repeated import trainings
from stages import cross_validate, learning_curve

ROOT = Path(__file__).parents[2]
PATCH, CLASSES = [8, 8], ["benign", "malignant"]
CURVE, TABLE, FOLDS = learning_curve.BLOCK, learning_curve.TABLE, cross_validate.BLOCK


def lay_out(given: str = "") -> None:
    """A processed target of 48 patients, lighter where malignant, and its split."""
    label, several = (
        np.arange(48) % 2,
        np.array(["train", "train", "validation", "test", "test", "external"]),
    )
    parts = several[np.arange(48) // 2 % 6]
    images = np.random.default_rng(0).random((48, 1, *PATCH)) / 2
    images[label == 1, :, 2:6, 2:6] += 0.3
    index = pd.DataFrame(
        {
            "sample": np.arange(48),
            "patient": [f"p{i:02}" for i in range(48)],
            "label": np.array(CLASSES)[label],
            "site": "",
            "split": given and parts,
            "origin": "",
            "size": 1.0,
            "hash": "",
        }
    )
    write_domain(Path("data/processed/liver"), Domain("liver", images, index, CLASSES, {}))
    Path("data/splits").mkdir(exist_ok=True)
    pd.DataFrame({"sample": index["sample"], "part": parts}).to_csv(
        "data/splits/liver.csv", index=False
    )


def edit(**sections: dict) -> None:
    yaml, path = YAML(), Path("params.yaml")
    params = yaml.load(path)
    for name, values in sections.items():
        params[name] |= values
    yaml.dump(params, path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    edit(finetune={"epochs": 2}, training={"device": "cpu"}, evaluate={"resamples": 100})
    lay_out()
    pretrained = Path("models/pretrained")
    pretrained.mkdir(parents=True)
    shape = {"name": "resnet", "patch": PATCH, "channels": 1, "classes": 2, "width": 8}
    saved.save_model(
        pretrained, [build_network(**shape, seed=7)], {"architecture": shape, "classes": CLASSES}
    )
    cross_validate.SOURCES.parent.mkdir()
    write_json(cross_validate.SOURCES, {"lung": str(pretrained)})
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.fixture
def worked(monkeypatch):
    """The names of the units that had to work."""
    names, work = [], trainings.Trials._work
    monkeypatch.setattr(
        trainings.Trials,
        "_work",
        lambda self, arm, *rest: names.append(arm) or work(self, arm, *rest),
    )
    return names


def test_both_read_nothing_where_they_are_off(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    edit(learning_curve={"draws": 0})
    learning_curve.main()
    cross_validate.main()
    assert json.loads(CURVE.read_text()) == {"learning_curve": None}
    assert json.loads(FOLDS.read_text()) == {"cross_validation": None}
    assert TABLE.read_text() == "share,patients,model,auroc,low,high\n"


def test_the_learning_curve_and_one_draw_more(project, worked, capsys):
    edit(learning_curve={"shares": [1.0, 0.3], "draws": 1})
    learning_curve.main()
    block = json.loads(CURVE.read_text())["learning_curve"]
    assert [(point["share"], point["patients"]) for point in block["points"]] == [
        (0.3, 6),
        (1.0, 24),
    ]
    assert block["points"][0]["arms"]["scratch"]["draw_sd"] is None
    assert len(pd.read_csv(TABLE)) == 6 and len(worked) == 6
    said = capsys.readouterr().out
    assert "learning_curve: training 6/6  frozen, 100% of the labels, draw 1" in said
    assert "epoch" not in said and "30% of the labels, 6 patients: AUROC scratch" in said
    edit(learning_curve={"draws": 2})
    learning_curve.main()
    assert len(worked) == 12  # the first draw is kept
    assert (
        json.loads(CURVE.read_text())["learning_curve"]["points"][0]["arms"]["scratch"]["draw_sd"]
        is not None
    )
    before = CURVE.read_bytes(), TABLE.read_bytes()
    learning_curve.main()
    assert len(worked) == 12 and before == (CURVE.read_bytes(), TABLE.read_bytes())
    assert not list(Path(".graft/checkpoints").rglob("*.safetensors"))


def test_a_killed_learning_curve_ends_in_the_same_bytes(project, worked, capsys):
    edit(learning_curve={"shares": [0.3, 1.0], "draws": 2})
    learning_curve.main()
    whole = CURVE.read_bytes()
    CURVE.unlink()
    Path(".graft").rename("elsewhere")
    command = [sys.executable, "-m", "stages.learning_curve"]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True) as killed:
        for line in killed.stdout:
            if "training 3/12" in line:
                killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL and not CURVE.exists()
    assert 3 <= len(list(Path(".graft/units").rglob("*.npz"))) < 12
    worked.clear()
    learning_curve.main()
    assert 0 < len(worked) <= 9
    assert CURVE.read_bytes() == whole


def test_cross_validation_tests_each_patient_once_and_one_repeat_more(project, worked, capsys):
    edit(evaluate={"folds": 3, "repeats": 1, "lambdas": [0.01, 1.0]})
    cross_validate.main()
    block = json.loads(FOLDS.read_text())["cross_validation"]
    assert (block["patients"], block["lesions"]) == (40, 40)  # all but the external ones
    assert (
        len(worked) == 9
        and len(block["choices"]) == 3
        and sum(row["chosen"] for row in block["candidates"]) == 3
    )
    assert (
        "cross_validate: training 9/9  repeat 1, fold 3: transfer from lung, λ = 1"
        in capsys.readouterr().out
    )
    edit(evaluate={"repeats": 2})
    cross_validate.main()
    assert len(worked) == 18
    twice = json.loads(FOLDS.read_text())["cross_validation"]
    assert twice["choices"][:3] == block["choices"]
    assert twice["models"]["scratch"]["by_repeat"][0] == block["models"]["scratch"]["by_repeat"][0]


def test_an_official_test_part_stays_out(project):
    lay_out(given="yes")
    edit(evaluate={"folds": 2, "repeats": 1})
    cross_validate.main()
    assert json.loads(FOLDS.read_text())["cross_validation"]["patients"] == 24


def test_too_many_folds_leave_no_file(project):
    edit(evaluate={"folds": 30, "repeats": 1})
    with pytest.raises(InputError, match="evaluate.folds: got 30, but 20 of"):
        cross_validate.main()
    assert not FOLDS.exists()
