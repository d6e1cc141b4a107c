"""Models with wrong training data, encoding, threshold, choice or parent raise one line each."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.audit import choices
from graft.audit.cards import TrainedModel, check_cards
from graft.common.files import InputError, sha256, write_sealed
from graft.data import covariates
from graft.data.covariates import Encoding
from graft.data.domain import Domain
from graft.data.task import take_samples
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.statistics.cases import Assessment
from tests.seals import reseal

CLASSES = ["benign", "malignant"]
PARTS = ("train", "validation", "test", "external")
ROWS = {
    part: np.arange(24)[np.arange(24) // 2 % 4 == code] for code, part in enumerate(PARTS)
}  # 6 each, 3 of a class
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def domain() -> Domain:
    """24 lesions of 24 patients, alternately benign and malignant, with rising ages."""
    index = pd.DataFrame(
        {"sample": range(24), "patient": [f"p{i}" for i in range(24)], "label": CLASSES * 12}
    )
    images = np.random.default_rng(0).random((24, 1, 8, 8)).astype(np.float16)
    ages = pd.DataFrame({"age": [str(40 + i) for i in range(24)]})
    return Domain("liver", images, index, CLASSES, {}, {"age": "number"}, ages)


def encoding(domain: Domain, *parts: str) -> Encoding:
    return covariates.fit_encoding(
        domain.clinical(np.concatenate([ROWS[part] for part in parts])), domain.kinds, domain.name
    )


def digest(domain: Domain, encoding: Encoding, *parts: str) -> str:
    return take_samples(
        domain, np.sort(np.concatenate([ROWS[part] for part in parts])), encoding, CPU
    ).sha256()


@pytest.fixture
def models(domain, tmp_path, monkeypatch) -> dict[str, TrainedModel]:
    """A model with the right data, and one that started from it."""
    monkeypatch.chdir(tmp_path)
    fitted = encoding(domain, "train")
    data = {f"{part}_sha256": digest(domain, fitted, part) for part in ("train", "validation")}
    found = {}
    parent = None
    for name in ("transfer", "regularized"):
        folder = Path("models") / name
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").write_text(f"the weights of {name}")
        card = {
            "data": {"domain": "liver", **data},
            "covariates": list(fitted.columns),
            "parent": parent,
        }
        weights = sha256(folder / "weights.safetensors")
        card |= {"architecture": {}, "classes": [], "shares": [1.0], "weights_sha256": weights}
        write_sealed(folder / "card.json", card)
        found[name] = TrainedModel(folder, Path(parent["folder"]) if parent else None, domain, ROWS)
        parent = {
            "folder": folder.as_posix(),
            "weights_sha256": sha256(folder / "weights.safetensors"),
        }
    return found


def rewrite(model: TrainedModel, **change: object) -> None:
    path = model.folder / "card.json"
    reseal(path, lambda card: card.update(change))


def error_of(models: dict[str, TrainedModel]) -> str:
    with pytest.raises(InputError) as caught:
        check_cards({name: replace(model) for name, model in models.items()})  # cards are read anew
    assert "\n" not in str(caught.value)
    assert "card.json: " in str(caught.value)
    assert "expected" in str(caught.value)
    return str(caught.value)


def test_models_with_the_right_data_have_rows(models):
    rows = {row["name"]: row for row in check_cards(models)}
    assert set(rows) == {"train data", "validation data", "encoding", "parent"}
    assert rows["train data"]["looked_at"] == "transfer, regularized"
    assert (
        rows["train data"]["found"]
        == "each trained on the 6 lesions of the part train alone, by SHA-256"
    )
    assert rows["encoding"]["found"] == "1 covariate, encoded by the training part alone"
    assert rows["parent"]["found"] == "weights of models/transfer, by SHA-256"


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "validation"), ("test",), PARTS])
def test_a_model_trained_on_more_than_the_training_part(domain, models, parts):
    data = models["regularized"].card["data"] | {
        "train_sha256": digest(domain, encoding(domain, "train"), *parts)
    }
    rewrite(models["transfer"], data=data)
    assert (
        f"models/transfer/card.json: trained on {' and '.join(parts)}, "
        "expected the part train of liver" in error_of(models)
    )


def test_a_model_validated_on_the_test_part(domain, models):
    data = models["transfer"].card["data"] | {
        "validation_sha256": digest(domain, encoding(domain, "train"), "test")
    }
    rewrite(models["regularized"], data=data)
    assert (
        "regularized/card.json: validated on test, expected the part validation of liver"
        in error_of(models)
    )


def test_a_model_of_data_that_has_changed_since(domain, models):
    labels = domain.index.assign(label=CLASSES[::-1] * 12)
    changed = {
        name: replace(model, domain=replace(domain, index=labels)) for name, model in models.items()
    }
    assert "trained on data that these parts do not have now" in error_of(changed)


def test_a_card_of_another_domain_or_of_none(models):
    rewrite(models["transfer"], data={"domain": "lung"})
    assert "trained on the domain 'lung', expected 'liver'" in error_of(models)
    rewrite(models["regularized"], data={})
    assert "trained on the domain None, expected 'liver'" in error_of(
        {"regularized": models["regularized"]}
    )


def test_a_scaler_fitted_on_all_parts_raises_an_error(domain, models):
    of_all_parts = encoding(domain, *PARTS)
    data = {
        f"{part}_sha256": digest(domain, of_all_parts, part) for part in ("train", "validation")
    }
    rewrite(
        models["transfer"], covariates=list(of_all_parts.columns), data={"domain": "liver", **data}
    )
    assert "transfer/card.json: age not encoded by the part train of liver" in error_of(models)


def test_a_model_that_leaves_a_covariate_out(domain, models):
    data = {f"{part}_sha256": digest(domain, Encoding(), part) for part in ("train", "validation")}
    rewrite(models["transfer"], covariates=[], data={"domain": "liver", **data})
    assert "age not encoded" in error_of(models)


def test_a_wrong_parent(models):
    (models["transfer"].folder / "weights.safetensors").write_text("trained again")
    assert "regularized/card.json: started from the weights " in error_of(models)
    assert "which are there now" in error_of(models)
    rewrite(models["regularized"], parent=None)
    assert "started from no other model, expected models/transfer" in error_of(models)


def test_a_baseline_that_did_not_start_from_scratch(models):
    stray = replace(models["regularized"], parent=None)
    assert "started from models/transfer, expected no other model" in error_of({"scratch": stray})


def test_weights_from_elsewhere_have_only_their_parent_checked(models):
    rewrite(models["transfer"], weights={"source": "imagenet"}, data=None)
    names = [(row["name"], row["found"]) for row in check_cards({"pretrained": models["transfer"]})]
    assert names == [("parent", "weights from elsewhere")]


def target(domain: Domain) -> EvaluatedDomain:
    return EvaluatedDomain(domain, ROWS, {})


def test_what_was_fitted_on_the_validation_part_and_what_was_not(domain):
    found = choices.check_tuning(
        target(domain), {"bagging": {"temperature": ROWS["validation"][::-1]}}
    )
    assert found["looked_at"] == "temperature of bagging"
    for samples, description in (
        (ROWS["test"], r"6 samples \(6 of test\)"),
        (
            np.append(ROWS["validation"], [0, 99]),
            r"8 samples \(1 of train, 6 of validation, 1 of no part\)",
        ),
        (ROWS["validation"][1:], r"5 samples \(5 of validation\)"),
        (np.array([], int), r"0 samples \(none\)"),
    ):
        message = (
            f"^domains.liver: temperature of bagging was fitted on {description}, expected the 6"
        )
        with pytest.raises(InputError, match=message + " of"):
            choices.check_tuning(target(domain), {"bagging": {"temperature": samples}})


def assessment(threshold: float | None, *disease: float) -> Assessment:
    """A model with these probabilities of the disease for the six validation lesions."""
    return Assessment(
        threshold,
        tuple(ROWS["validation"]),
        {"validation": np.stack([1 - np.array(disease), disease], 1)},
        {},
    )


def test_a_threshold_that_the_validation_part_does_not_give(domain):
    good = assessment(
        0.3, 0.1, 0.4, 0.2, 0.6, 0.1, 0.7
    )  # halfway between 0.2 and 0.4, the only one without an error
    assert (
        choices.check_thresholds(target(domain), {"scratch": good})["found"]
        == "each equal to the one that the validation part alone gives"
    )
    with pytest.raises(
        InputError,
        match="the threshold of transfer is 0.5, expected 0.3, which the validation part alone",
    ):
        choices.check_thresholds(
            target(domain), {"scratch": good, "transfer": replace(good, threshold=0.5)}
        )
    with pytest.raises(
        InputError, match=r"the threshold of scratch was fitted on 6 samples \(6 of test\)"
    ):
        choices.check_thresholds(
            target(domain), {"scratch": replace(good, fitted_on=tuple(ROWS["test"]))}
        )


def test_another_model_is_chosen(domain):
    models = {
        "scratch": assessment(0.5, *[0.5] * 6),
        "transfer": assessment(0.5, *[0.25, 0.75] * 3),
    }
    row = choices.check_choice(target(domain), models, "transfer")
    assert row["found"] == "transfer, 0.2877, the lowest"  # -ln 0.75
    with pytest.raises(
        InputError,
        match="the chosen model is scratch with a log loss of 0.693147 .*"
        "expected transfer with 0.287682",
    ):
        choices.check_choice(target(domain), models, "scratch")
