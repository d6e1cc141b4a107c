"""The stages that train on a target without a validation part, on real files with tiny images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.common.files import InputError, sha256
from graft.data.domain import Domain
from graft.data.split import read_folds, read_split
from graft.data.task import Encoding, take_samples
from graft.networks.card import read_card, write_no_model
from graft.networks.out_of_fold import fold_folder, read_out_of_fold
from graft.networks.saved import WEIGHTS, load_model
from graft.training import cross_fit
from stages import ensemble, finetune, paths, pretrain, regularize
from tests.processed import edit_images
from tests.small_target import CLASSES, edit_parameters, write_model, write_project, write_target

CHAIN = (paths.FINETUNED["transfer"], paths.REGULARIZED, paths.ENSEMBLE["bagging"])
LAST = (paths.FINETUNED["scratch"], paths.ENSEMBLE["bagging"], paths.ENSEMBLE["boosting"])
FOLDS = (1, 2, 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A project whose target has three folds and no validation part, with all models."""
    folder = tmp_path_factory.mktemp("folds")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GRAFT_WORKERS", "1")
        write_project()
        write_target(validation="train")
        edit_parameters(ensemble={"members": 2, "epochs": 1}, regularize={"epochs": 1})
        write_model(paths.PRETRAINED)
        train_chain()
        finetune.main("scratch")
        ensemble.main("boosting")
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch) -> Path:
    """A copy of it, which is the working directory."""
    monkeypatch.setenv("GRAFT_WORKERS", "1")
    copy = shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(copy)
    return copy


def train_chain() -> None:
    finetune.main("transfer")
    regularize.main()
    ensemble.main("bagging")


def training_rows() -> tuple[Domain, np.ndarray, np.ndarray]:
    """The target, its training rows, and their folds."""
    domain = Domain.read(paths.processed("liver"))
    split = paths.split("liver")
    return domain, read_split(split, domain.index)["train"], read_folds(split, domain.index)


def digest(domain: Domain, rows: np.ndarray) -> str:
    return take_samples(domain, rows, Encoding(), torch.device("cpu")).sha256()


def test_each_model_predicts_each_training_patient_outside_of_the_fold(project):
    domain, train, folds = training_rows()
    for folder in {*CHAIN, *LAST}:
        card = read_card(folder)
        assert card["data"]["train_sha256"] == digest(domain, train)
        assert card["data"]["validation_sha256"] is None
        table = read_out_of_fold(folder, CLASSES)
        assert table["sample"].tolist() == train.tolist()
        assert table["fold"].tolist() == folds.tolist()
        for fold in FOLDS:
            place = folder / "folds" / str(fold)
            outside = read_card(place)
            assert outside["data"]["train_sha256"] == digest(domain, train[folds != fold])
            assert outside["weights_sha256"] != card["weights_sha256"]
            if folder in LAST:  # no stage continues from them
                assert not (place / WEIGHTS).exists()
                continue
            inside = folds == fold
            predicted = load_model(place).predict(domain.images[train[inside]])
            found = table[["p_benign", "p_malignant"]][inside].to_numpy()
            assert found == pytest.approx(predicted, abs=1e-6)


def test_a_stage_continues_from_the_network_of_the_same_fold(project):
    for parent, folder in zip((paths.PRETRAINED, *CHAIN[:-1]), CHAIN, strict=True):
        for fold in FOLDS:
            start = parent if parent == paths.PRETRAINED else fold_folder(parent, fold)
            expected = {"folder": start.as_posix(), "weights_sha256": sha256(start / WEIGHTS)}
            assert read_card(fold_folder(folder, fold))["parent"] == expected


def test_patients_have_no_influence_on_what_is_predicted_for_their_fold(project):
    """Whatever the images of a fold are, the networks of the fold have the same weights."""

    def weights(fold: int) -> list[str]:
        return [read_card(fold_folder(folder, fold))["weights_sha256"] for folder in CHAIN]

    before = {fold: weights(fold) for fold in (0, *FOLDS)}
    _, train, folds = training_rows()

    def invert(images: np.ndarray) -> None:
        rows = train[folds == 2]
        images[rows] = 1 - images[rows]

    edit_images("liver", invert)
    train_chain()
    assert weights(2) == before[2]
    for fold in (0, 1, 3):
        assert not set(weights(fold)) & set(before[fold])


def test_trainings_one_after_the_other_as_on_a_gpu_give_the_same_bytes(project, monkeypatch):
    folder = paths.FINETUNED["transfer"]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(before) == 3 + 3 * 2  # weights, a card and predictions; a model for each fold
    shutil.rmtree(folder)
    monkeypatch.setattr(cross_fit, "train_in_parallel", lambda stage: False)
    finetune.main("transfer")
    assert {path: path.read_bytes() for path in before} == before


def test_a_source_may_have_no_validation_part(project):
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("source: lung", "source: liver"), encoding="utf-8")
    edit_parameters(pretrain={"epochs": 2, "patience": 1})
    write_no_model(paths.SELF_SUPERVISED, "off")
    pretrain.main()
    card = read_card(paths.PRETRAINED)
    assert card["data"]["validation_sha256"] is None
    assert card["scores"]["epoch"] == 2
    assert not (paths.PRETRAINED / "folds").exists()


def test_a_parent_without_the_network_of_a_fold_is_refused(project):
    shutil.rmtree(CHAIN[0] / "folds")
    shutil.rmtree(paths.REGULARIZED)
    with pytest.raises(InputError, match="transfer/folds/1/card.json"):
        regularize.main()
    assert not paths.REGULARIZED.exists()
