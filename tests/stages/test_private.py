"""Private pretraining on real files: what it writes, what it carries on, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.audit.cards import TrainedModel, check_cards
from graft.common.files import InputError
from graft.data.domain import Domain, write_domain
from graft.data.split import read_split
from graft.keys.pseudonyms import fingerprint, keyed_sha256
from graft.networks.card import write_no_model
from stages import finetune, paths, pretrain
from tests.processed import edit_index, write_parts
from tests.small_target import edit_parameters, write_project

KEY = "the secret key of these tests"
CLASSES = ["benign", "malignant"]
PARTS = np.array(["train", "train", "validation", "test"])


def write_source(**about: object) -> None:
    """A processed source of 24 patients with two lesions each, and its split.

    Args:
        about: further arguments of `Domain`.
    """
    patient = np.arange(48) // 2
    label = patient % 2
    images = np.random.default_rng(1).random((48, 1, 8, 8)) / 2
    images[label == 1, :, 2:6, 2:6] += 0.4
    index = pd.DataFrame(
        {
            "sample": np.arange(48),
            "patient": [f"p{number:02}" for number in patient],
            "label": np.array(CLASSES)[label],
            "site": "",
            "split": "",
            "origin": "",
            "size": 1.0,
            "hash": [f"{row:016x}" for row in range(48)],
        }
    )
    about = {"patient_key": fingerprint(KEY), **about}
    domain = Domain("lung", images, index, CLASSES, {"spacing": None}, **about)
    write_domain(paths.processed("lung"), domain)
    write_parts("lung", PARTS[patient // 2 % 4])


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFT_PATIENT_KEY", KEY)
    write_project()
    edit_parameters(
        pretrain={"epochs": 1},
        privacy={"epsilon": 8.0, "delta": 0.01, "epochs": 2, "batch": 12},
    )
    write_source()
    write_no_model(paths.SELF_SUPERVISED, "no epochs")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def card_of(folder: Path) -> dict:
    return json.loads((folder / "card.json").read_text())


def test_the_guarantee_is_on_the_card_and_on_those_of_all_descendants(project, capsys):
    pretrain.main()
    printed = capsys.readouterr().out
    assert "pretrain: trains on 12 patients of lung with noise " in printed
    card = card_of(paths.PRETRAINED)
    (guarantee,) = card["privacy"]
    assert guarantee["epsilon"] == pytest.approx(8, abs=0.08)
    assert guarantee == {
        "domain": "lung",
        "unit": "patient",
        "epsilon": guarantee["epsilon"],
        "delta": 0.01,
    }
    assert card["private_training"]["patients"] == 12
    assert card["training"]["class_weights"] == "none"
    finetune.main("transfer")
    finetune.main("scratch")
    assert card_of(paths.FINETUNED["transfer"])["privacy"] == [guarantee]
    assert "privacy" not in card_of(paths.FINETUNED["scratch"])


def test_nothing_but_the_weights_follows_from_the_training_patients(project):
    pretrain.main()
    card = card_of(paths.PRETRAINED)
    assert set(card["scores"]) == {"epoch", "validation_loss", "validation_accuracy"}
    for name in ("train_loss", "penalty"):
        curve = paths.CURVES / f"pretrain/plots/metrics/{name}.tsv"
        assert curve.read_text() == f"step\t{name}\n"
    # The digest on the card is that of the training part, and nobody else can compute it.
    domain = Domain.read(paths.processed("lung"))
    rows = read_split(paths.split("lung"), domain.index)
    del rows["validation"]
    model = TrainedModel(paths.PRETRAINED, None, domain, rows)
    with pytest.raises(InputError, match="data that these parts do not have now"):
        check_cards({"pretrained": model})
    keyed = TrainedModel(
        paths.PRETRAINED, None, domain, rows, keyed=lambda found: keyed_sha256(found, KEY)
    )
    assert check_cards({"pretrained": keyed})


def test_the_network_without_privacy_leaves_predictions_of_other_patients_alone(project):
    pretrain.main()
    table = pd.read_csv(paths.WITHOUT_PRIVACY, comment="#")
    domain = Domain.read(paths.processed("lung"))
    rows = read_split(paths.split("lung"), domain.index)
    assert sorted(table["sample"]) == sorted([*rows["validation"], *rows["test"]])
    assert table[["p_benign", "p_malignant"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert len(list(Path("models").rglob("*.safetensors"))) == 1
    assert not list(paths.CHECKPOINTS.rglob("*.checkpoint"))


def test_one_key_gives_the_same_bytes_and_another_key_others(project, monkeypatch):
    found = []
    for key in (KEY, KEY, "another secret key of these tests"):
        monkeypatch.setenv("GRAFT_PATIENT_KEY", key)
        write_source(patient_key=fingerprint(key))
        pretrain.main()
        found.append((paths.PRETRAINED / "weights.safetensors").read_bytes())
    assert found[0] == found[1] != found[2]


def test_without_an_epsilon_the_table_has_no_rows(project):
    edit_parameters(privacy={"epsilon": None})
    pretrain.main()
    assert pd.read_csv(paths.WITHOUT_PRIVACY, comment="#").empty
    assert "privacy" not in card_of(paths.PRETRAINED)


def test_a_candidate_has_a_guarantee_and_no_comparison(project):
    pretrain.main("lung")
    (guarantee,) = card_of(paths.CANDIDATES / "lung")["privacy"]
    assert guarantee["domain"] == "lung"
    assert not paths.WITHOUT_PRIVACY.exists()


def test_synthetic_patients_are_said_to_be_protected_by_nothing(project, capsys):
    write_source(patient_key="synthetic")
    pretrain.main()
    assert (
        "pretrain: the patients of lung are synthetic; the noise follows from a published key"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"patients_known": False}, "does not say whose lesions these are, expected patients"),
        ({"patient_key": "published"}, "have the published key, expected a key of your own"),
        ({"patient_key": "0123abcd"}, "found the key .*, expected 0123abcd, which made the pseudo"),
        (
            {"kinds": {"age": "number"}, "covariates": pd.DataFrame({"age": ["1"] * 48})},
            "has the covariates age, expected none",
        ),
        (
            {"task_kinds": {"rating": "number"}, "tasks": pd.DataFrame({"rating": ["1"] * 48})},
            "has the tasks rating, expected none",
        ),
    ],
)
def test_data_that_would_break_the_guarantee_is_refused(project, about, message):
    write_source(**about)
    with pytest.raises(InputError, match=message):
        pretrain.main()
    assert not paths.PRETRAINED.exists()


def test_a_start_that_has_seen_the_images_is_refused(project):
    (paths.SELF_SUPERVISED / "none.json").unlink()
    with pytest.raises(InputError, match=r"expected self_supervise.epochs: 0"):
        pretrain.main()


def test_patients_of_several_lesions_are_protected_as_one(project):
    """With one patient for all lesions of the training part, there is one gradient to clip."""
    edit_index("lung", merge_patients)
    edit_parameters(privacy={"delta": 0.1})
    pretrain.main()
    assert card_of(paths.PRETRAINED)["private_training"]["patients"] == 1


def merge_patients(index: pd.DataFrame) -> None:
    in_training = PARTS[np.arange(48) // 4 % 4] == "train"
    index.loc[in_training, "patient"] = "p00"
