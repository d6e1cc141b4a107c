import numpy as np
import pytest
import torch

from graft.networks.saved import load_model, save_model
from tests.commands import run_module
from tests.graft.export.models import make_model
from tests.small_target import write_target


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a model and a processed domain."""
    monkeypatch.chdir(tmp_path)
    made = make_model(preprocessing={"window": [0, 1], "intensity": "window"} | SPACED)
    (tmp_path / "model").mkdir()
    save_model(tmp_path / "model", made.networks, made.card)
    write_target()
    return tmp_path


SPACED = {"patch": [8, 8], "spacing": [1.0, 1.0], "size": "diameter in mm"}


def test_a_model_folder_is_exported(folder):
    words = ["model", "--to", "pt2", "--out", "model.pt2", "--patches", "data/processed/liver"]
    ended = run_module("graft", "export", *words)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("model.pt2: the largest difference of a probability")
    images = np.load("data/processed/liver/images.npy")
    program = torch.export.load("model.pt2").module()
    calibrated, raw = (found.detach() for found in program(image=torch.from_numpy(images).float()))
    assert raw.numpy() == pytest.approx(load_model(folder / "model").predict(images), abs=1e-5)
    assert calibrated.numpy() == pytest.approx(
        raw.numpy(), abs=1e-6
    )  # an earlier version had no calibration


def test_a_folder_without_a_model_is_one_message(folder):
    ended = run_module("graft", "export", "data", "--to", "pt2", "--out", "model.pt2")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "card.json: is missing" in ended.stderr


def test_an_unknown_form_is_wrong_usage(folder):
    ended = run_module("graft", "export", "model", "--to", "coreml", "--out", "model")
    assert ended.returncode == 2
    assert "'coreml' is not one of" in ended.stderr
