"""The stage on real files: with and without a candidate, and with weights trained elsewhere."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.data.domain import Domain, write_domain
from graft.leakage.across import check_across
from graft.leakage.split_domain import SplitDomain
from graft.networks import saved
from graft.networks.build import build_network
from graft.networks.features import extract_features
from graft.ranking import transferability
from stages import paths, pretrain, rank_sources

ROOT = Path(__file__).parents[2]
CLASSES = ["benign", "malignant"]


def lay_out(name: str, side: int = 16, grey: float = 0.5) -> None:
    """A processed domain of 32 planes of as many patients, bright in the middle if malignant."""
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
    """A pretrained network of the lung; kidney is a domain that can be a candidate."""
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
    list_sources(lung="models/pretrained")
    yield tmp_path
    torch.set_num_threads(threads)


def list_sources(**folders: str) -> None:
    """Write the list of sources as the stage `check` does."""
    paths.SOURCE_LIST.parent.mkdir(parents=True, exist_ok=True)
    paths.SOURCE_LIST.write_text(json.dumps(folders))


def ranking() -> dict:
    return json.loads(paths.SOURCES.read_text())


def test_without_candidates_the_source_and_a_random_network_are_ranked(project, capsys):
    rank_sources.main()
    found, first = ranking(), paths.SOURCES.read_bytes()
    assert [(row["source"], row["lesions"]) for row in found["distances"]] == [("lung", 16)]
    assert {row["source"] for row in found["ranking"]} == {"lung", "random"}
    assert found["target"] == "liver"
    assert "sources: lung for liver: LogME" in capsys.readouterr().out
    rank_sources.main()
    assert paths.SOURCES.read_bytes() == first


def test_the_scores_are_those_of_the_targets_training_features(project):
    rank_sources.main()
    images = np.load("data/processed/liver/images.npy")
    split = pd.read_csv("data/splits/liver.csv")
    train = split["sample"][split["part"] == "train"].to_numpy()
    model = saved.load_model(paths.PRETRAINED)
    seen = extract_features(model.networks[0], images[train])
    (row,) = [row for row in ranking()["ranking"] if row["source"] == "lung"]
    assert row["logme"] == pytest.approx(transferability.log_me(seen, train % 2), abs=1e-5)
    assert row["h_score"] == pytest.approx(transferability.h_score(seen, train % 2), abs=1e-5)


def test_a_candidate_is_trained_as_the_source_is(project):
    pretrain.main("kidney")
    list_sources(lung="models/pretrained", kidney="models/candidates/kidney")
    rank_sources.main()
    lung = saved.load_model(paths.PRETRAINED).card
    kidney = saved.load_model(paths.CANDIDATES / "kidney").card
    assert kidney["data"]["domain"] == "kidney"
    assert kidney["stage"] == "pretrain-kidney"
    for key in ("architecture", "training", "classes", "parent"):
        assert kidney[key] == lung[key]
    distance = {row["source"]: row["mmd"] for row in ranking()["distances"]}
    assert list(distance) == ["lung", "kidney"]
    assert distance["kidney"] > distance["lung"]  # its images are darker
    promises = [row["logme"] for row in ranking()["ranking"]]
    assert len(promises) == 3
    assert promises == sorted(promises, reverse=True)


def test_neither_test_parts_nor_the_targets_labels_change_the_distances(project):
    rank_sources.main()
    before = ranking()
    for name in ("lung", "liver"):
        folder = Path("data/processed") / name
        parts = pd.read_csv(f"data/splits/{name}.csv")["part"]
        images = np.load(folder / "images.npy")
        images[parts.isin(["test", "validation"])] = 0
        np.save(folder / "images.npy", images)
    index = pd.read_csv("data/processed/liver/index.csv", keep_default_na=False)
    index["label"] = np.roll(index["label"], 1)
    index.to_csv("data/processed/liver/index.csv", index=False)
    rank_sources.main()
    assert ranking()["distances"] == before["distances"]


def test_weights_trained_elsewhere_have_no_distance(project):
    shape = {"name": "resnet", "patch": [16, 16], "channels": 1, "classes": 2, "width": 8}
    card = {"architecture": shape, "classes": [], "weights": {"source": "file"}}
    saved.save_model(paths.PRETRAINED, [build_network(**shape, seed=3)], card)
    list_sources(**{"theirs.pth": "models/pretrained"})
    rank_sources.main()
    unknown = dict.fromkeys(("lesions", "frechet", "mmd", "mmd_p", "proxy_a"))
    assert ranking()["distances"] == [{"source": "theirs.pth", **unknown}]
    assert {row["source"] for row in ranking()["ranking"]} == {"theirs.pth", "random"}


def test_a_target_of_another_shape_is_one_line_and_keeps_the_earlier_ranking(project):
    rank_sources.main()
    before = paths.SOURCES.read_bytes()
    lay_out("liver", side=20)
    expected = "domain liver: images have 1 channels of .20, 20.*expected 1 of .16, 16"
    with pytest.raises(InputError, match=expected):
        rank_sources.main()
    assert paths.SOURCES.read_bytes() == before


def test_a_candidate_with_a_patient_of_the_targets_test_does_not_pass_the_check(project):
    path = Path("data/processed/kidney/index.csv")
    path.write_text(path.read_text().replace("kidney-00", "liver-06"))
    kidney = SplitDomain.from_files(path.parent, paths.split("kidney"))
    liver = SplitDomain.from_files(paths.processed("liver"), paths.split("liver"))
    with pytest.raises(InputError, match="domains.kidney and liver: 1 patient of kidney in train"):
        check_across(kidney, liver)
