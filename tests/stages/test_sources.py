"""The stage on real files, with a further source and without, and with weights from elsewhere."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.data.domain import Domain, write_domain
from graft.networks import saved
from graft.networks.build import build_network
from graft.networks.features import features
from graft.ranking import transferability
from stages import pretrain, sources

ROOT = Path(__file__).parents[2]
CLASSES = ["benign", "malignant"]
RANKED = Path("metrics/sources.json")


def lay_out(name: str, side: int = 16, grey: float = 0.5) -> None:
    """A processed domain of 32 grey planes of as many patients, bright in the middle where malignant, and its split."""
    label = np.arange(32) % 2
    images = np.random.default_rng(len(name)).random((32, 1, side, side)) * grey
    images[label == 1, :, 6:10, 6:10] += 0.4
    index = pd.DataFrame(
        {
            "sample": np.arange(32),
            "patient": [f"{name}-{i:02}" for i in range(32)],
            "label": np.array(CLASSES)[label],
            "site": "",
            "split": "",
            "origin": "",
            "size": 1.0,
            "hash": [f"{name:_>8}{i:08}" for i in range(32)],
        }
    )
    write_domain(
        Path("data/processed") / name, Domain(name, images, index, CLASSES, {"spacing": None})
    )
    split = Path(f"data/splits/{name}.csv")
    split.parent.mkdir(parents=True, exist_ok=True)
    parts = np.array(["train", "train", "validation", "test"])[np.arange(32) // 2 % 4]
    pd.DataFrame({"sample": index["sample"], "part": parts}).to_csv(split, index=False)


def edit(**sections: dict) -> None:
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    for name, values in sections.items():
        params[name] |= values
    yaml.dump(params, Path("params.yaml"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Lung has been learnt; kidney is a further domain that could be."""
    monkeypatch.chdir(tmp_path)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["domains"]["kidney"] = params["domains"]["lung"]
    yaml.dump(params, Path("params.yaml"))
    edit(
        preprocess={"patch": [16, 16], "spacing": [1.0, 1.0]},
        training={"device": "cpu"},
        pretrain={"epochs": 2},
    )
    for name, grey in (("lung", 0.5), ("liver", 0.45), ("kidney", 0.1)):
        lay_out(name, grey=grey)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pretrain.main()
    yield tmp_path
    torch.set_num_threads(threads)


def test_without_candidates_nothing_is_learnt_and_the_bytes_are_the_same_twice(
    project, capsys, monkeypatch
):
    capsys.readouterr()
    monkeypatch.setattr("graft.training.fitting.train", None)
    sources.main()
    assert json.loads(Path("models/sources/sources.json").read_text()) == {
        "lung": "models/pretrained"
    }
    assert [path.name for path in Path("models/sources").iterdir()] == ["sources.json"]
    found, first = json.loads(RANKED.read_text()), RANKED.read_bytes()
    assert [row["source"] for row in found["distances"]] == ["lung"] and found["distances"][0][
        "lesions"
    ] == 16
    assert {row["source"] for row in found["ranking"]} == {"lung", "random"} and found[
        "target"
    ] == "liver"
    assert "sources: lung for liver: LogME" in capsys.readouterr().out
    sources.main()
    assert RANKED.read_bytes() == first


def test_the_scores_are_those_of_the_targets_training_features(project):
    sources.main()
    images, split = np.load("data/processed/liver/images.npy"), pd.read_csv("data/splits/liver.csv")
    mine = split["sample"][split["part"] == "train"].to_numpy()
    seen = features(saved.load_model(Path("models/pretrained")).networks[0], "resnet", images[mine])
    (row,) = (row for row in json.loads(RANKED.read_text())["ranking"] if row["source"] == "lung")
    assert row["logme"] == pytest.approx(transferability.log_me(seen, mine % 2), abs=1e-5)
    assert row["h_score"] == pytest.approx(transferability.h_score(seen, mine % 2), abs=1e-5)


def test_a_candidate_is_learnt_as_the_source_is(project):
    edit(sources={"candidates": ["kidney"]})
    sources.main()
    folders = json.loads(Path("models/sources/sources.json").read_text())
    assert folders == {"lung": "models/pretrained", "kidney": "models/sources/kidney"}
    lung, kidney = (saved.load_model(Path(folder)).card for folder in folders.values())
    assert kidney["data"]["domain"] == "kidney" and kidney["stage"] == "pretrain-kidney"
    for key in ("architecture", "training", "classes", "parent"):
        assert kidney[key] == lung[key]
    found = json.loads(RANKED.read_text())
    far = {row["source"]: row["mmd"] for row in found["distances"]}
    assert list(far) == ["lung", "kidney"] and far["kidney"] > far["lung"]  # as its greys are
    assert len(found["ranking"]) == 3
    promises = [row["logme"] for row in found["ranking"]]
    assert promises == sorted(promises, reverse=True)


def test_a_candidate_that_was_learnt_before_is_not_learnt_again(project, monkeypatch):
    edit(sources={"candidates": ["kidney"]})
    sources.main()
    before = Path("models/sources/kidney/weights.safetensors").read_bytes()
    monkeypatch.setattr("graft.training.loop._train_epoch", None)
    lay_out("liver", grey=0.3)  # another target
    sources.main()
    assert Path("models/sources/kidney/weights.safetensors").read_bytes() == before


def test_neither_test_parts_nor_the_targets_labels_touch_the_distances(project):
    sources.main()
    before = json.loads(RANKED.read_text())
    for name in ("lung", "liver"):
        folder, parts = (
            Path("data/processed") / name,
            pd.read_csv(f"data/splits/{name}.csv")["part"],
        )
        images = np.load(folder / "images.npy")
        images[parts.isin(["test", "validation"])] = 0
        np.save(folder / "images.npy", images)
        if name == "liver":
            index = pd.read_csv(folder / "index.csv", keep_default_na=False)
            index["label"] = np.roll(index["label"], 1)
            index.to_csv(folder / "index.csv", index=False)
    sources.main()
    assert json.loads(RANKED.read_text())["distances"] == before["distances"]


def test_weights_from_elsewhere_have_no_distance(project):
    shape = {"name": "resnet", "patch": [16, 16], "channels": 1, "classes": 2, "width": 8}
    card = {"architecture": shape, "classes": [], "weights": {"source": "file"}}
    saved.save_model(Path("models/pretrained"), [build_network(**shape, seed=3)], card)
    edit(pretrain={"source": "/home/somebody/theirs.pth"})
    sources.main()
    found = json.loads(RANKED.read_text())
    row = {
        "source": "theirs.pth",
        "lesions": None,
        "frechet": None,
        "mmd": None,
        "mmd_p": None,
        "proxy_a": None,
    }
    assert found["distances"] == [row] and {row["source"] for row in found["ranking"]} == {
        "theirs.pth",
        "random",
    }
    assert json.loads(Path("models/sources/sources.json").read_text()) == {
        "theirs.pth": "models/pretrained"
    }


def test_a_target_of_another_shape_is_one_line_and_leaves_the_former_ranking(project):
    sources.main()
    before = RANKED.read_bytes()
    lay_out("liver", side=20)
    with pytest.raises(
        InputError, match="domain liver: images have 1 channels of .20, 20.*expected 1 of .16, 16"
    ):
        sources.main()
    assert RANKED.read_bytes() == before


def test_a_candidate_with_a_patient_of_the_test_is_not_learnt(project):
    path = Path("data/processed/kidney/index.csv")
    path.write_text(path.read_text().replace("kidney-00", "liver-06"))
    edit(sources={"candidates": ["kidney"]})
    with pytest.raises(
        InputError,
        match="domains.kidney and liver: 1 patient of kidney in train or validation would judge",
    ):
        sources.main()
    assert not RANKED.exists()
