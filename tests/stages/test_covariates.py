"""The stages on a small manifest with tasks and covariates, one of which is nearly the label."""

import csv
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.common.vocabulary import TESTS
from graft.evaluation.metrics import check_metrics
from stages import check as look_for_leaks
from stages import (
    cross_validate,
    ensemble,
    evaluate,
    finetune,
    learning_curve,
    preprocess,
    pretrain,
    rank_sources,
    regularize,
    self_supervise,
    split,
)
from tests.processed import edit_table, read_parts
from tests.seals import reseal

ROOT = Path(__file__).parents[2]
PATIENTS = 30  # of each class
KINDS = {"age": "number", "biopsy": "category", "note": "text"}
TASKS = {"rating": "ordinal", "shape": "category", "volume": "number"}  # of the source
WRONG = (8, 9)  # numbers of the patients whose biopsy is wrong
RECIPE = {"epochs": 1, "transforms": 1}


def write_processed(name: str, rng: np.random.Generator) -> None:
    """Raw volumes of noise, with a manifest in which `biopsy` is nearly the label."""
    folder = Path("raw") / name
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ("patient", "image", "label", "x", "y", "z", "site", "diameter_mm", *KINDS, *TASKS)
        )
        for number in range(2 * PATIENTS):
            scan = nibabel.Nifti1Image(rng.random((10, 10, 10), np.float32), np.eye(4))
            nibabel.save(scan, folder / f"{number}.nii.gz")
            label, found = (("benign", "cyst"), ("malignant", "tumour"))[number % 2]
            if number in WRONG:
                found = {"cyst": "tumour", "tumour": "cyst"}[found]
            site = "site-b" if number % 6 < 2 else "site-a"
            known = (
                "" if number % 5 == 0 else int(rng.integers(40, 80)),
                found,
                f"Jane Doe, visit {number % 3}",
            )
            table.writerow(
                (
                    f"{name} p{number}",
                    f"{number}.nii.gz",
                    label,
                    5,
                    5,
                    5,
                    site,
                    5 + number % 3,
                    *known,
                    "" if number % 7 == 0 else number % 3,
                    "round" if number % 4 < 2 else "oval",
                    number % 11 / 2,
                )
            )


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, str]:
    """A folder where every stage has run, and what evaluate printed."""
    folder = tmp_path_factory.mktemp("covariates")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    for name in ("lung", "liver"):
        params["domains"][name] |= {"path": f"raw/{name}", "window": [0, 1]}
        params["domains"][name]["split"] |= {"test": 0.15, "validation": 0.15, "labelled": 1.0}
    params["domains"]["liver"]["covariates"] = KINDS
    params["domains"]["lung"]["covariates"] = {"age": "number"}
    params["domains"]["lung"]["tasks"] = TASKS
    params["preprocess"] = {"patch": [8, 8, 8], "spacing": [1.0, 1.0, 1.0]}
    for section in ("pretrain", "finetune", "regularize", "ensemble"):
        params[section] |= RECIPE
    params["training"]["device"] = "cpu"
    params["ensemble"]["members"] = 2
    params["evaluate"]["resamples"] = 100
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GRAFT_WORKERS", "1")  # to start others takes longer than these trainings
        yaml.dump(params, folder / "params.yaml")
        torch.set_num_threads(1)
        rng = np.random.default_rng(0)
        for name in ("lung", "liver"):
            write_processed(name, rng)
            preprocess.main(name)
            split.main(name)
        look_for_leaks.main()
        self_supervise.main()
        pretrain.main()
        rank_sources.main()
        for init in ("transfer", "scratch"):
            finetune.main(init)
        regularize.main()
        for method in ("bagging", "boosting"):
            ensemble.main(method)
        learning_curve.main()
        cross_validate.main()
        lines: list[str] = []
        patch.setattr(evaluate, "say", lines.append)
        evaluate.main()
    torch.set_num_threads(threads)
    return folder, "\n".join(lines)


@pytest.fixture
def project(finished, tmp_path, monkeypatch) -> Path:
    shutil.copytree(finished[0], tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics/metrics.json").read_text())


def test_preprocessing_says_how_many_values_are_missing(project, capsys):
    preprocess.main("liver")
    output = capsys.readouterr().out
    assert "  covariate age (number): 48 of 60 lesions, 12 missing" in output
    assert "  covariate biopsy (category): 60 of 60 lesions, 0 missing" in output
    assert "  age: 40 to 49 " in output
    assert ", unknown 12" in output


def test_the_ablation_shows_a_covariate_that_gives_the_label_away(finished):
    folder, output = finished
    found = metrics(folder)
    check_metrics(found)
    ablation = found["ablation"]
    both, known, image = (
        ablation[name]["test"]["auroc"]["value"]
        for name in ("both", "covariates_only", "image_only")
    )
    assert known == 1
    assert both > 0.9 > image
    assert ablation["gain_of_covariates"]["test"]["value"] == pytest.approx(both - image, abs=1e-5)
    assert ablation["gain_of_image"]["test"]["value"] == pytest.approx(both - known, abs=1e-5)
    assert found["baselines"]["covariates_only"]["test"]["auroc"]["value"] == 1
    assert "The covariates alone have an AUROC of 1.000 on the test part" in output
    assert "before the diagnosis?" in output
    assert set(pd.read_csv(folder / "metrics/predictions.csv")["model"]) > {"covariates_only"}


def test_the_chosen_model_is_judged_by_age(finished):
    found = metrics(finished[0])["subgroups"]
    assert found["model"] == metrics(finished[0])["chosen"]["model"]
    bands = {f"{at} to {at + 9}" for at in (40, 50, 60, 70)}
    assert {row["group"] for row in found["rows"] if row["by"] == "age"} <= bands
    assert {row["by"] for row in found["rows"]} == {"site", "size", "age"}


def test_cards_hold_the_encoding_and_no_text_of_the_patients(finished):
    folder, _ = finished
    for name in (
        "finetuned/transfer",
        "finetuned/scratch",
        "regularized",
        "ensemble/bagging",
        "best",
    ):
        card = json.loads((folder / "models" / name / "card.json").read_text())
        assert [column["name"] for column in card["covariates"]] == sorted(KINDS)
        assert card["covariates"][1]["categories"] == ["cyst", "tumour"]
        assert card["architecture"]["covariates"] == 70
    card = json.loads((folder / "models/pretrained/card.json").read_text())
    assert [column["name"] for column in card["covariates"]] == ["age"]
    assert card["architecture"]["covariates"] == 2
    written = (
        path
        for out in ("data", "models", "metrics")
        for path in (folder / out).rglob("*")
        if path.is_file()
    )
    assert not any(b"Jane" in path.read_bytes() for path in written)


def test_covariates_of_the_tests_change_no_model(project):
    before = {path: path.read_bytes() for path in Path("models/finetuned").rglob("*.*")}
    hidden = read_parts("liver").isin(TESTS)

    def hide(table: pd.DataFrame) -> None:
        table.loc[hidden, ["age", "biopsy", "note"]] = ["500", "new", "7:7"]

    edit_table("liver", "covariates.csv", hide)
    for init in ("transfer", "scratch"):
        finetune.main(init)
    assert {path: path.read_bytes() for path in before} == before


def test_covariates_of_the_training_part_change_the_model(project):
    path = Path("models/finetuned/scratch/weights.safetensors")
    before = path.read_bytes()
    edit_table(
        "liver", "covariates.csv", lambda table: table.replace("cyst", "tumour", inplace=True)
    )
    finetune.main("scratch")
    assert path.read_bytes() != before


def test_a_head_for_other_covariates_raises_an_error(project):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("head: auto", "head: pretrained"))
    with pytest.raises(
        InputError, match="finetune.head: got 'pretrained'.* age, but the target has age, biopsy"
    ):
        finetune.main("transfer")


def test_without_covariates_the_same_keys_hold_nothing(project):
    text = Path("params.yaml").read_text()
    for name, kind in KINDS.items():
        text = text.replace(f"\n      {name}: {kind}", "")
    Path("params.yaml").write_text(text.replace("covariates:", "covariates: {}"))
    for stage, *word in (
        (preprocess, "liver"),
        (split, "liver"),
        (finetune, "transfer"),
        (finetune, "scratch"),
    ):
        stage.main(*word)
    regularize.main()
    for method in ("bagging", "boosting"):
        ensemble.main(method)
    learning_curve.main()
    evaluate.main()
    found = metrics(project)
    assert found["ablation"] is None
    assert found["baselines"]["covariates_only"] is None
    assert "covariates" not in Path("models/finetuned/scratch/card.json").read_text()


def test_each_task_of_the_source_is_judged_with_its_gain(finished):
    folder, output = finished
    block = metrics(folder)["tasks"]
    assert block["weighting"] == "equal"
    scores = {row["name"]: row["score"] for row in block["rows"]}
    assert scores == {
        "label": "auroc",
        "rating": "concordance",
        "shape": "auroc",
        "volume": "r_squared",
    }
    for row in block["rows"]:
        found = row["test"]
        both, alone = found["together"]["value"], found["alone"]["value"]
        assert found["gain"]["value"] == pytest.approx(both - alone, abs=1e-5)
        assert found["gain"]["low"] <= found["gain"]["value"] <= found["gain"]["high"]
        assert (found["mean_absolute_error"] is None) == (row["name"] != "volume")
    label = block["rows"][0]
    assert label["test"]["together"]["value"] == pytest.approx(
        metrics(folder)["source"]["pretrained"]["test"]["auroc"]["value"]
    )
    assert "lung: the tasks of the pretrained network, their losses weighted by equal" in output
    assert "  rating, test (" in output
    names = {row["name"] for row in metrics(folder)["checks"]}
    assert {"label columns", "task encoding"} <= names


def test_weights_by_uncertainty_are_on_the_card(project):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(
        text.replace("tasks: equal", "tasks: uncertainty").replace("alone: train", "alone: skip")
    )
    before = Path("models/pretrained/weights.safetensors").read_bytes()
    pretrain.main()
    assert Path("models/pretrained/weights.safetensors").read_bytes() != before
    assert not Path("models/pretrained/alone").exists()
    entry = json.loads(Path("models/pretrained/card.json").read_text())["tasks"]
    assert list(entry["variances"]) == ["label", *sorted(TASKS)]
    assert all(variance != 1 for variance in entry["variances"].values())
    assert not list(Path(".graft/checkpoints").glob("pretrain*"))


def test_levels_of_other_patients_on_a_card_are_an_error(project):
    def move(card: dict) -> None:
        card["tasks"]["columns"][2]["mean"] += 0.01

    reseal(Path("models/pretrained/card.json"), move)
    with pytest.raises(InputError, match="card.json: has tasks that do not follow from the part"):
        evaluate.main()


def test_a_covariate_that_is_the_label_stops_the_run(project):
    edit_table("liver", "covariates.csv", swap)
    with pytest.raises(InputError, match="liver.covariates.biopsy: 100.0% of the lesions have"):
        look_for_leaks.main()
    assert not Path("data/leaks_checked.txt").exists()


def swap(table: pd.DataFrame) -> None:
    """Correct the wrong biopsies."""
    other = {"cyst": "tumour", "tumour": "cyst"}
    table.loc[list(WRONG), "biopsy"] = table.loc[list(WRONG), "biopsy"].map(other)
