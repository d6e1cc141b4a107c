"""The stage on real files: with and without a candidate, and with weights trained elsewhere."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from graft.common.files import InputError, read_sealed, write_sealed
from graft.data.domain import Domain, write_domain
from graft.leakage.across import check_across
from graft.leakage.split_domain import SplitDomain
from graft.networks import saved
from graft.networks.build import build_network
from graft.networks.card import write_no_model
from graft.networks.features import extract_features
from graft.ranking import transferability
from stages import paths, pretrain, rank_sources
from tests.processed import edit_images, edit_index, read_parts, write_parts

ROOT = Path(__file__).parents[2]
CLASSES = ["benign", "malignant"]


def write_processed(name: str, side: int = 16, grey: float = 0.5) -> None:
    """Write a domain of 32 planes of 32 patients, bright in the middle if malignant."""
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
    domain = Domain(name, images, index, CLASSES, {"spacing": None})
    write_domain(Path("data/processed") / name, domain)
    parts = np.array(["train", "train", "validation", "test"])[np.arange(32) // 2 % 4]
    write_parts(name, parts)


def edit_params(**sections: dict) -> None:
    """Change values in sections of params.yaml."""
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
    edit_params(
        preprocess={"patch": [16, 16], "spacing": [1.0, 1.0]},
        training={"device": "cpu"},
        pretrain={"epochs": 2},
    )
    for name, grey in (("lung", 0.5), ("liver", 0.45), ("kidney", 0.1)):
        write_processed(name, grey=grey)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    write_no_model(paths.SELF_SUPERVISED, "no epochs")
    pretrain.main()
    list_sources(lung="models/pretrained")
    yield tmp_path
    torch.set_num_threads(threads)


def list_sources(**folders: str) -> None:
    """Write the list of sources as the stage `check` does."""
    paths.SOURCE_LIST.parent.mkdir(parents=True, exist_ok=True)
    write_sealed(paths.SOURCE_LIST, folders)


def ranking() -> dict:
    return read_sealed(paths.SOURCES)


def test_without_candidates_the_source_and_a_random_network_are_ranked(project, capsys):
    rank_sources.main()
    found = ranking()
    first = paths.SOURCES.read_bytes()
    assert found["target"] == "liver"
    (distance,) = found["distances"]
    assert distance["source"] == "lung"
    assert distance["lesions"] == 16
    ranked = {row["source"] for row in found["ranking"]}
    assert ranked == {"lung", "random"}
    assert "sources: lung for liver: LogME" in capsys.readouterr().out
    rank_sources.main()
    assert paths.SOURCES.read_bytes() == first


def test_the_scores_are_those_of_the_targets_training_features(project):
    rank_sources.main()
    images = np.load("data/processed/liver/images.npy")
    train = np.flatnonzero(read_parts("liver") == "train")
    model = saved.load_model(paths.PRETRAINED)
    features = extract_features(model.networks[0], images[train])
    labels = train % 2
    rows = {row["source"]: row for row in ranking()["ranking"]}
    logme = transferability.log_me(features, labels)
    assert rows["lung"]["logme"] == pytest.approx(logme, abs=1e-5)


def test_a_candidate_is_trained_like_the_source(project):
    pretrain.main("kidney")
    list_sources(lung="models/pretrained", kidney="models/candidates/kidney")
    rank_sources.main()
    lung = saved.load_model(paths.PRETRAINED).card
    kidney = saved.load_model(paths.CANDIDATES / "kidney").card
    assert kidney["data"]["domain"] == "kidney"
    assert kidney["stage"] == "pretrain-kidney"
    for key in ("architecture", "training", "classes", "parent"):
        assert kidney[key] == lung[key]
    found = ranking()
    distances = {row["source"]: row["frechet"] for row in found["distances"]}
    assert list(distances) == ["lung", "kidney"]
    # The images of the kidney are darker.
    assert distances["kidney"] > distances["lung"]
    scores = [row["logme"] for row in found["ranking"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_neither_test_parts_nor_the_targets_labels_change_the_distances(project):
    rank_sources.main()
    before = ranking()
    for name in ("lung", "liver"):
        others = read_parts(name).isin(["test", "validation"])
        edit_images(name, lambda images, others=others: images.__setitem__(others, 0))
    edit_index("liver", lambda table: table.update({"label": np.roll(table["label"], 1)}))
    rank_sources.main()
    assert ranking()["distances"] == before["distances"]


def test_weights_trained_elsewhere_have_no_distance(project):
    shape = {"name": "resnet", "patch": [16, 16], "channels": 1, "classes": 2, "width": 8}
    card = {"architecture": shape, "classes": [], "weights": {"source": "file"}}
    saved.save_model(paths.PRETRAINED, [build_network(**shape, seed=3)], card)
    list_sources(**{"theirs.pth": "models/pretrained"})
    rank_sources.main()
    unknown = dict.fromkeys(("lesions", "frechet"))
    found = ranking()
    assert found["distances"] == [{"source": "theirs.pth", **unknown}]
    ranked = {row["source"] for row in found["ranking"]}
    assert ranked == {"theirs.pth", "random"}


def test_a_target_of_another_shape_raises_an_error_and_keeps_the_earlier_ranking(project):
    rank_sources.main()
    before = paths.SOURCES.read_bytes()
    write_processed("liver", side=20)
    expected = "domain liver: images have 1 channels of .20, 20.*expected 1 of .16, 16"
    with pytest.raises(InputError, match=expected):
        rank_sources.main()
    assert paths.SOURCES.read_bytes() == before


def test_a_candidate_with_a_patient_of_the_targets_test_does_not_pass_the_check(project):
    edit_index("kidney", lambda table: table.replace("kidney-00", "liver-06", inplace=True))
    kidney = SplitDomain.from_files(paths.processed("kidney"), paths.split("kidney"))
    liver = SplitDomain.from_files(paths.processed("liver"), paths.split("liver"))
    with pytest.raises(InputError, match="domains.kidney and liver: 1 patient of kidney in train"):
        check_across(kidney, liver)


def test_a_private_source_is_ranked_without_a_distance(project):
    """A distance would be computed from its training patients without noise."""
    model = saved.load_model(paths.PRETRAINED)
    guarantee = {"domain": "lung", "unit": "patient", "epsilon": 3.0, "delta": 0.01}
    saved.save_model(paths.PRETRAINED, model.networks, {**model.card, "privacy": [guarantee]})
    rank_sources.main()
    assert ranking()["distances"] == [{"source": "lung", "lesions": None, "frechet": None}]
    assert {row["source"] for row in ranking()["ranking"]} == {"lung", "random"}
