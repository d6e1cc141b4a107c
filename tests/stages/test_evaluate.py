"""The stage on real files: weights, images, splits."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.common.files import InputError, write_json
from graft.data import split
from graft.data.covariates import Encoding
from graft.data.domain import Domain, write_domain
from graft.data.predictions import write_table
from graft.data.task import read_task, take_samples
from graft.leakage import rows
from graft.networks import saved
from graft.networks.build import build_network
from graft.training import fitting
from stages import cross_validate, evaluate, learning_curve, paths

ROOT = Path(__file__).parents[2]
PATCH, CLASSES = [8, 8], ["benign", "malignant"]
OUTS = (
    "metrics/metrics.json",
    "metrics/summary.json",
    "metrics/predictions.csv",
    "models/best/card.json",
    "metrics/plots/roc.csv",
)
RANKED = {
    "target": "liver",
    "distances": [
        {
            "source": "lung",
            "lesions": 12,
            "frechet": 9.5,
            "mmd": 0.1,
            "mmd_p": 0.001,
            "proxy_a": 1.5,
        }
    ],
    "ranking": [
        {"source": "lung", "logme": -0.5, "h_score": 0.4},
        {"source": "random", "logme": -0.7, "h_score": 0.5},
    ],
}


def lay_out(name: str, sites: bool) -> None:
    """A processed domain of 24 patients with two lesions each, and its split."""
    random = np.random.default_rng(len(name))
    patient, parts = (
        np.arange(48) // 2,
        np.array(["train", "validation", "test", "external" if sites else "test"]),
    )
    index = pd.DataFrame(
        {
            "sample": np.arange(48),
            "patient": [f"p{i:02}" for i in patient],
            "label": np.array(CLASSES)[patient // 4 % 2],
            "site": "",
            "split": "",
            "origin": "",
            "size": random.uniform(5, 30, 48),
            "hash": [f"{name} {i}" for i in range(48)],
        }
    )
    write_domain(
        Path("data/processed") / name,
        Domain(name, random.random((48, 1, *PATCH)), index, CLASSES, {}),
    )
    split = Path(f"data/splits/{name}.csv")
    split.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"sample": index["sample"], "part": parts[patient % 4]}).to_csv(split, index=False)


def leave_model(folder: Path, seed: int, classes: list[str] = CLASSES) -> None:
    """A network of random weights, whose card says that it trained on the data of this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = {"name": "resnet", "patch": PATCH, "channels": 1, "classes": len(classes), "width": 8}
    card = {"architecture": shape, "classes": classes, "stage": folder.name}
    parent, name = (
        evaluate.PARENTS.get(folder.name),
        "lung" if folder == paths.PRETRAINED else "liver",
    )
    task = read_task(
        Path("data/processed") / name, Path(f"data/splits/{name}.csv"), torch.device("cpu")
    )
    card |= {"data": task.sha256(), "parent": parent and fitting.parent_reference(parent)}
    saved.save_model(folder, [build_network(**shape, seed=seed)], card)


def leave_models() -> None:
    for seed, folder in enumerate([paths.PRETRAINED, *evaluate.MODELS.values()]):
        leave_model(folder, seed)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = (
        (ROOT / "params.yaml")
        .read_text(encoding="utf-8")
        .replace("resamples: 2000", "resamples: 200")
    )
    (tmp_path / "params.yaml").write_text(params, encoding="utf-8")
    for name in ("lung", "liver"):
        lay_out(name, sites=True)
    leave_models()
    Path("metrics").mkdir()
    write_json(
        Path("metrics/checks.json"),
        rows.checks_document([rows.passed_check("patients", "liver", "24 patients", "none")]),
    )
    write_json(Path("metrics/sources.json"), RANKED)
    write_table(paths.REPEATED["learning_curve"], learning_curve.empty_table(CLASSES))
    write_table(paths.REPEATED["cross_validation"], cross_validate.empty_table(CLASSES))
    threads = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # images this small are predicted in a tenth of the time on a busy machine
    yield tmp_path
    torch.set_num_threads(threads)


def test_leaves_every_out_and_the_same_bytes_twice(project, capsys):
    evaluate.main()
    first = [Path(out).read_bytes() for out in OUTS]
    evaluate.main()
    assert [Path(out).read_bytes() for out in OUTS] == first
    assert "best by validation log loss" in capsys.readouterr().out
    assert not [
        path for path in project.rglob(".*") if "partial" in path.name or "former" in path.name
    ]


def test_the_best_model_is_the_chosen_one_as_it_is(project):
    evaluate.main()
    chosen = evaluate.MODELS[json.loads(Path(OUTS[0]).read_text())["chosen"]["model"]]
    for name in ("weights.safetensors", "card.json"):
        assert (paths.BEST / name).read_bytes() == (chosen / name).read_bytes()


def test_the_test_part_decides_neither_the_choice_nor_a_threshold(project):
    evaluate.main()
    before = json.loads(Path(OUTS[0]).read_text())
    path = Path("data/processed/liver/images.npy")
    images, parts = np.load(path), pd.read_csv("data/splits/liver.csv")["part"]
    images[parts.isin(["test", "external"])] = 0
    np.save(path, images)
    evaluate.main()
    after = json.loads(Path(OUTS[0]).read_text())
    assert (
        after["models"]["bagging"]["test"]["auroc"] != before["models"]["bagging"]["test"]["auroc"]
    )
    assert after["chosen"] == before["chosen"]
    for name in evaluate.MODELS:
        one, two = (metrics["models"][name] for metrics in (before, after))
        for key in ("threshold", "validation"):
            assert two[key] == one[key]
        assert two["calibration"]["temperature"] == one["calibration"]["temperature"]
        for wanted in ("sensitivity", "specificity"):
            for key in ("threshold", "validation"):
                assert two["operating_points"][wanted][key] == one["operating_points"][wanted][key]


def test_what_a_domain_keeps_beside_its_images_makes_groups_and_is_not_learnt_from(project):
    evaluate.main()
    before = json.loads(Path(OUTS[0]).read_text())
    domain = Domain.read(Path("data/processed/liver"))
    kept = pd.DataFrame({"sex": np.where(np.arange(48) // 2 % 3, "F", "M"), "age": "60 to 69"})
    write_domain(
        Path("data/processed/liver"), replace(domain, images=np.array(domain.images), groups=kept)
    )
    evaluate.main()
    after = json.loads(Path(OUTS[0]).read_text())
    found = {(row["by"], row["group"], row["part"]) for row in after["subgroups"]["rows"]}
    assert found >= {("sex", "F", "test"), ("sex", "M", "external"), ("age", "60 to 69", "test")}
    assert {**after, "subgroups": None} == {**before, "subgroups": None}


def test_without_a_held_out_site(project):
    for name in ("lung", "liver"):
        lay_out(name, sites=False)
    leave_models()
    evaluate.main()
    metrics = json.loads(Path(OUTS[0]).read_text())
    assert (
        metrics["models"]["scratch"]["external"] is None
        and metrics["source"]["pretrained"]["external"] is None
    )


def test_weights_learnt_elsewhere_are_not_judged_on_the_source(project, capsys):
    folder = paths.PRETRAINED
    card = json.loads((folder / "card.json").read_text()) | {
        "classes": [],
        "weights": {"source": "imagenet"},
    }
    (folder / "card.json").write_text(json.dumps(card))
    evaluate.main()
    source = json.loads(Path(OUTS[0]).read_text())["source"]
    assert (
        source["pretrained"] is None
        and source["gain_over_size"] is None
        and source["size_alone"]["test"]
    )
    assert (
        "lung, not used for training: the pretrained weights are from elsewhere"
        in capsys.readouterr().out
    )


def test_predictions_are_what_the_weights_say(project):
    evaluate.main()
    table = pd.read_csv("metrics/predictions.csv")
    mine = table[table["model"] == "transfer"]
    images = np.load("data/processed/liver/images.npy")[mine["sample"]]
    expected = saved.load_model(evaluate.MODELS["transfer"]).predict(images)
    assert np.allclose(mine[["p_benign", "p_malignant"]], expected, atol=1e-6)


def test_a_model_of_other_classes_is_one_line_and_leaves_the_outs(project):
    evaluate.main()
    before = [Path(out).read_bytes() for out in OUTS]
    leave_model(evaluate.MODELS["boosting"], 9, ["cyst", "tumour"])
    with pytest.raises(
        InputError, match=r"boosting: has the classes \['cyst', 'tumour'\], expected"
    ):
        evaluate.main()
    assert [Path(out).read_bytes() for out in OUTS] == before


def test_a_split_without_a_test_part_is_one_line(project):
    Path("data/splits/liver.csv").write_text("sample,part\n0,train\n4,validation\n")
    with pytest.raises(InputError, match=r"liver.csv: no sample is in the part 'test'"):
        evaluate.main()


def test_a_model_that_learnt_on_a_test_part_is_one_line_before_any_score(project):
    folder = evaluate.MODELS["regularized"]
    domain = Domain.read(Path("data/processed/liver"))
    rows = split.read_split(Path("data/splits/liver.csv"), domain.index)
    both = np.sort(np.concatenate([rows["train"], rows["test"]]))
    card = json.loads((folder / "card.json").read_text())
    card["data"]["train_sha256"] = take_samples(
        domain, both, Encoding(), torch.device("cpu")
    ).sha256()
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(
        InputError,
        match="^models/regularized/card.json: trained on train and test, expected the part train",
    ):
        evaluate.main()
    assert not Path("metrics/metrics.json").exists()


def test_what_was_looked_at_and_the_hashes_are_in_the_metrics(project):
    evaluate.main()
    found = json.loads(Path(OUTS[0]).read_text())
    assert found["checks"][0] == rows.passed_check("patients", "liver", "24 patients", "none")
    assert [row["name"] for row in found["checks"][-2:]] == ["tuning", "choice"]
    split_file = Path("data/splits/liver.csv").read_bytes()
    assert found["hashes"]["target"]["split"] == hashlib.sha256(split_file).hexdigest()
    weights = (evaluate.MODELS["boosting"] / "weights.safetensors").read_bytes()
    assert found["hashes"]["models"]["boosting"] == hashlib.sha256(weights).hexdigest()
