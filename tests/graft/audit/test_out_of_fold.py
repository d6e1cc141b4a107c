"""Out-of-fold predictions of networks that saw the fold are found, whichever way they saw it."""

import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.audit import choices
from graft.audit.cards import TrainedModel, check_cards
from graft.audit.out_of_fold import check_fold_networks, read_predictions_of
from graft.common.files import InputError, sha256
from graft.data.covariates import fit_encoding
from graft.data.domain import Domain
from graft.data.task import take_samples
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.networks.build import build_network
from graft.networks.out_of_fold import write_out_of_fold
from graft.networks.saved import WEIGHTS, load_model, save_model
from graft.statistics.cases import Cases
from tests.seals import reseal

CLASSES = ["benign", "malignant"]
SHAPE = {
    "name": "resnet",
    "patch": [8, 8],
    "channels": 1,
    "classes": 2,
    "width": 8,
    "covariates": 2,
}
TRAIN = np.arange(0, 24, 2)
TEST = np.arange(1, 24, 2)
FOLDS = np.arange(12) % 3 + 1
TRANSFER, REGULARIZED, PRETRAINED = Path("transfer"), Path("regularized"), Path("pretrained")
PARENTS = {TRANSFER: PRETRAINED, REGULARIZED: TRANSFER, Path("scratch"): None}


def make_target() -> EvaluatedDomain:
    """24 patients with one lesion each, half of them to train on in three folds."""
    random = np.random.default_rng(0)
    index = pd.DataFrame(
        {
            "sample": range(24),
            "patient": [f"p{i}" for i in range(24)],
            "label": np.array(CLASSES)[np.arange(24) // 2 % 2],
            "size": random.uniform(5, 30, 24),
        }
    )
    images = random.random((24, 1, 8, 8)).astype(np.float16)
    ages = pd.DataFrame({"age": [str(40 + i) for i in range(24)]})
    domain = Domain("liver", images, index, CLASSES, {}, {"age": "number"}, ages)
    cases = {}
    for part, rows in (("validation", TRAIN), ("test", TEST)):
        cases[part] = Cases.of(index.iloc[rows], CLASSES, 20, random)
    return EvaluatedDomain(domain, {"train": TRAIN, "test": TEST}, cases, FOLDS)


def write_network(domain: Domain, folder: Path, rows: np.ndarray, parent: Path | None) -> None:
    """A network of random weights whose card says that it was trained on these rows."""
    folder.mkdir(parents=True)
    encoding = fit_encoding(domain.clinical(rows), domain.kinds, domain.name)
    digest = take_samples(domain, rows, encoding, torch.device("cpu")).sha256()
    reference = None
    if parent:
        weights = sha256(parent / "weights.safetensors")
        reference = {"folder": parent.as_posix(), "weights_sha256": weights}
    card = {
        "architecture": SHAPE,
        "classes": CLASSES,
        "covariates": list(encoding.columns),
        "data": {"domain": domain.name, "train_sha256": digest, "validation_sha256": None},
        "parent": reference,
    }
    save_model(folder, [build_network(**SHAPE, seed=seed_of(folder))], card)


def seed_of(folder: Path) -> int:
    """A seed for each folder, so that the networks of two folds differ."""
    return zlib.crc32(folder.as_posix().encode())


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Three models with a network for each fold; those of `scratch` have no weights any more."""
    root = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        domain = make_target().domain
        write_network(replace(domain, name="lung"), PRETRAINED, TRAIN, None)
        for folder, parent in PARENTS.items():
            write_network(domain, folder, TRAIN, parent)
            write_networks_of_folds(domain, folder, parent)
    return root


def write_networks_of_folds(domain: Domain, folder: Path, parent: Path | None) -> None:
    predicted = np.zeros((len(TRAIN), 2))
    for fold in (1, 2, 3):
        place = folder / "folds" / str(fold)
        inside = fold == FOLDS
        started = TRANSFER / "folds" / str(fold) if parent == TRANSFER else parent
        write_network(domain, place, TRAIN[~inside], started)
        rows = TRAIN[inside]
        predicted[inside] = load_model(place).predict(domain.images[rows], domain.clinical(rows))
        if folder.name == "scratch":
            (place / WEIGHTS).unlink()
    write_out_of_fold(folder, TRAIN, FOLDS, predicted, CLASSES)


@pytest.fixture
def target() -> EvaluatedDomain:
    return make_target()


@pytest.fixture
def models(target, made, tmp_path, monkeypatch) -> dict[str, TrainedModel]:
    """A copy of the models, in the working directory."""
    monkeypatch.chdir(shutil.copytree(made, tmp_path / "copy"))
    found = {}
    for folder, parent in PARENTS.items():
        found[folder.name] = TrainedModel(folder, parent, target.domain, target.rows)
    return found


def check(target: EvaluatedDomain, models: dict[str, TrainedModel]) -> list[dict]:
    predictions = {name: read_predictions_of(target, Path(name)) for name in models}
    return check_fold_networks(target, models, predictions)


def error_of(target: EvaluatedDomain, models: dict[str, TrainedModel]) -> str:
    with pytest.raises(InputError) as caught:
        check(target, models)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)
    return str(caught.value)


def test_networks_of_the_other_folds_have_rows(target, models):
    rows = {row["name"]: row for row in check(target, models)}
    assert list(rows) == ["out-of-fold data", "out-of-fold parents", "out-of-fold predictions"]
    assert rows["out-of-fold data"]["looked_at"] == "transfer, regularized, scratch"
    assert "each of 3 folds by networks of the others alone" in rows["out-of-fold data"]["found"]
    # Two of three models keep the weights of their networks.
    assert rows["out-of-fold predictions"]["found"].startswith("24 predictions repeated")
    names = [(row["name"], row["found"]) for row in check_cards(models)]
    assert ("validation data", "on none: each trained for a fixed number of epochs") in names


@pytest.mark.parametrize("model", ["transfer", "regularized", "scratch"])
def test_a_network_that_was_trained_on_its_own_fold(target, models, model):
    of_all = models[model].card["data"]
    columns = models[model].card["covariates"]

    def plant(card: dict) -> None:
        card |= {"data": of_all, "covariates": columns}

    reseal(Path(model) / "folds/2/card.json", plant)
    assert error_of(target, models) == (
        f"{model}/folds/2/card.json: trained on train and fold 2, "
        "expected the part train of liver outside of fold 2 and no other data"
    )


def test_a_network_that_a_test_lesion_stopped(target, models):
    encoding = fit_encoding(target.domain.clinical(TRAIN[FOLDS != 1]), {"age": "number"}, "liver")
    digest = take_samples(target.domain, TEST, encoding, torch.device("cpu")).sha256()
    path = Path("scratch/folds/1/card.json")
    reseal(path, lambda card: card["data"].update(validation_sha256=digest))
    assert "scratch/folds/1/card.json: validated on test, expected no data" in error_of(
        target, models
    )


def test_covariates_that_were_encoded_by_the_whole_training_part(target, models):
    columns = models["scratch"].card["covariates"]
    encoded = fit_encoding(target.domain.clinical(TRAIN), {"age": "number"}, "liver")
    rows = TRAIN[FOLDS != 1]
    digest = take_samples(target.domain, rows, encoded, torch.device("cpu")).sha256()

    def plant(card: dict) -> None:
        card["covariates"] = columns
        card["data"]["train_sha256"] = digest

    reseal(Path("scratch/folds/1/card.json"), plant)
    message = "age not encoded by the part train of liver outside of fold 1"
    assert message in error_of(target, models)


@pytest.mark.parametrize("parent", ["transfer", "transfer/folds/3", "pretrained"])
def test_a_network_that_started_from_one_that_saw_the_fold(target, models, parent):
    weights = sha256(Path(parent) / "weights.safetensors")
    reference = {"folder": parent, "weights_sha256": weights}
    path = Path("regularized/folds/2/card.json")
    reseal(path, lambda card: card.update(parent=reference))
    expected = f"{path}: started from {parent}, expected transfer/folds/2"
    assert error_of(target, models) == expected


def test_a_parent_of_a_fold_that_was_trained_again(target, models):
    path = Path("transfer/folds/1")
    network = build_network(**SHAPE, seed=99)
    card = load_model(path).card
    for key in ("weights_sha256", "sha256"):
        card.pop(key, None)
    save_model(path, [network], card)
    assert "transfer/out_of_fold.csv: sample" in error_of(target, models)
    predicted = read_predictions_of(target, TRANSFER)
    rows = TRAIN[FOLDS == 1]
    images, covariates = target.domain.images[rows], target.domain.clinical(rows)
    predicted[FOLDS == 1] = load_model(path).predict(images, covariates)
    write_out_of_fold(TRANSFER, TRAIN, FOLDS, predicted, CLASSES)
    # `transfer` is consistent again, but the network that started from the old weights is not.
    message = error_of(target, models)
    assert message.startswith("regularized/folds/1/card.json: started from the weights ")
    assert message.endswith(f"expected {sha256(path / WEIGHTS)[:12]}, which are there now")


def test_the_images_of_a_fold_are_read_once_for_all_models(target, models, monkeypatch):
    read = []

    def count(domain: Domain, rows: np.ndarray, *others: object) -> object:
        read.append(len(rows))
        return take_samples(domain, rows, *others)

    monkeypatch.setattr("graft.audit.cards.take_samples", count)
    check(target, models)
    assert read == [8, 8, 8]  # those outside of each fold


def test_predictions_by_the_model_that_was_trained_on_all_folds(target, models):
    of_all = load_model(REGULARIZED).predict(
        target.domain.images[TRAIN], target.domain.clinical(TRAIN)
    )
    write_out_of_fold(REGULARIZED, TRAIN, FOLDS, of_all, CLASSES)
    message = error_of(target, models)
    assert "regularized/out_of_fold.csv: sample" in message
    assert "which the network of regularized/folds/" in message


def test_a_source_that_is_the_target(target, models):
    write_network(target.domain, Path("liver"), TRAIN, None)
    path = Path("liver/card.json")
    Path("liver").rename("lung")
    PRETRAINED.rename("before")
    Path("lung").rename(PRETRAINED)
    assert error_of(target, models).startswith(
        f"{PRETRAINED / path.name}: trained on liver, the target"
    )


@pytest.mark.parametrize(
    ("samples", "folds", "message"),
    [
        (TRAIN, np.roll(FOLDS, 1), "has sample 0 in fold 3, expected fold 1, as in the split"),
        (TRAIN[:-1], FOLDS[:-1], "differs from the part train of liver by sample 22"),
        (
            np.append(TRAIN[:-1], TEST[-1]),
            FOLDS,
            "differs from the part train of liver by sample 22",
        ),
        (
            np.append(TRAIN, TEST[0]),
            np.append(FOLDS, 1),
            "differs from the part train of liver by sample 1, ",
        ),
        (
            np.append(TRAIN, 0),
            np.append(FOLDS, 1),
            "differs from the part train of liver by a sample twice",
        ),
    ],
)
def test_rows_that_are_not_those_of_the_split(target, models, samples, folds, message):
    write_out_of_fold(TRANSFER, samples, folds, np.full((len(samples), 2), 0.5), CLASSES)
    assert f"transfer/out_of_fold.csv: {message}" in error_of(target, models)


def test_thresholds_and_the_choice_come_from_the_training_rows(target, models):
    predicted = read_predictions_of(target, TRANSFER)
    assessment = target.assess(load_model(TRANSFER), predicted)
    assert assessment.fitted_on == tuple(TRAIN)
    assert (assessment.probabilities["validation"] == predicted.round(8)).all()
    row = choices.check_thresholds(target, {"transfer": assessment})
    assert row["found"] == "each equal to the one that the training part out of fold alone gives"
    without = target.assess(load_model(TRANSFER))
    assert without.threshold is None
    assert set(without.parts) == {"test"}
    message = r"12 samples \(12 of test\), expected the 12 of the training part out of fold"
    with pytest.raises(InputError, match=message):
        choices.check_tuning(target, {"transfer": {"temperature": TEST}})


def test_a_baseline_predicts_each_fold_from_the_others(target):
    labels = np.arange(24)[TRAIN] // 2 % 2
    found = target.assess_majority().probabilities["validation"]
    for fold in (1, 2, 3):
        share = labels[fold != FOLDS].mean()
        assert found[fold == FOLDS, 1] == pytest.approx(share, abs=1e-8)
    of_test = target.assess_majority().probabilities["test"]
    assert of_test[:, 1] == pytest.approx(labels.mean(), abs=1e-8)


@pytest.mark.parametrize("name", ["assess_size_alone", "assess_covariates_only"])
def test_a_baseline_is_not_fitted_to_the_label_that_it_predicts(target, name):
    before = getattr(target, name)().probabilities["validation"]
    assert target.domain.index.loc[0, "label"] == "benign"
    target.domain.index.loc[0, "label"] = "malignant"  # of the first sample, in fold 1
    after = getattr(target, name)().probabilities["validation"]
    assert (after[0] == before[0]).all()
    assert not (after[1] == before[1]).any()
