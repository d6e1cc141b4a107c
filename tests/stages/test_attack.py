"""The stage on real files: tiny images, their splits, models of all kinds, and the guarantee."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.common.documents import check_read
from graft.common.files import InputError
from graft.data.covariates import Encoding
from graft.data.domain import Domain
from graft.data.sealed_tables import write_sealed_table
from graft.data.split import read_split
from graft.data.task import take_samples
from graft.membership.document import SCHEMA
from graft.networks.build import build_network
from graft.networks.card import write_no_model
from graft.networks.saved import save_model
from graft.repeated.cross_validation import empty_table
from stages import attack, paths
from tests.processed import edit_index, read_parts, write_parts, write_two_sites
from tests.seals import flip_bit
from tests.small_target import CLASSES, SHAPE, edit_parameters, write_project, write_target

NAMES = ["pretrained", "scratch", "transfer", "regularized", "bagging", "boosting"]
FOLDERS = {"pretrained": paths.PRETRAINED, **attack.OF_TARGET}
EMPTY = Path("metrics/repeated/cross_validation.csv")


def write_trained(name: str, members: int = 1, **entries: object) -> None:
    """A model with fresh weights whose card names the training part of its domain."""
    domain = Domain.read(paths.processed("lung" if name == "pretrained" else "liver"))
    rows = read_split(paths.split(domain.name), domain.index)["train"]
    samples = take_samples(domain, rows, Encoding(), torch.device("cpu"))
    data = {"domain": domain.name, "train_sha256": samples.sha256()}
    shares = [1 / members] * members
    card = {"architecture": SHAPE, "classes": CLASSES, "data": data, "shares": shares, **entries}
    folder = FOLDERS[name]
    folder.mkdir(parents=True, exist_ok=True)
    save_model(folder, [build_network(**SHAPE, seed=k) for k in range(members)], card)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_project()
    write_target()
    write_two_sites("lung", np.random.default_rng(1).random((64, 1, 8, 8)))
    for name in NAMES:
        write_trained(name, members=2 if name in paths.ENSEMBLE else 1)
    write_no_model(paths.DEEP, "learning_curve.draws is 0")
    write_sealed_table(EMPTY, empty_table(CLASSES))
    return tmp_path


def read_attacks() -> dict:
    return json.loads(paths.ATTACKS.read_text())


def attack_of(name: str) -> dict:
    return next(entry for entry in read_attacks()["models"] if entry["model"] == name)


def test_it_attacks_every_model_with_the_patients_of_its_domain(project, capsys):
    attack.main()
    first = paths.ATTACKS.read_bytes()
    found = read_attacks()
    check_read(paths.ATTACKS, found, SCHEMA)
    assert [entry["model"] for entry in found["models"]] == NAMES
    assert found["left_out"] == [{"model": "deep", "reason": "this run has no such model"}]
    parts = read_parts("lung")
    counted = attack_of("pretrained")
    assert counted["members"] == (parts == "train").sum()
    assert counted["non_members"] == (parts == "test").sum()
    assert (counted["domain"], counted["unit"]) == ("lung", "patient")
    assert (attack_of("bagging")["members"], attack_of("bagging")["non_members"]) == (16, 16)
    printed = capsys.readouterr().out
    assert all(entry["sentence"] in printed for entry in found["models"])
    attack.main()
    assert paths.ATTACKS.read_bytes() == first
    assert not re.search(rb"lung\d|p0\d", first)  # no patient
    assert str(project).encode() not in first


def test_a_candidate_is_attacked_with_the_patients_of_its_own_domain(project):
    edit_parameters(sources={"candidates": ["lung"]})
    shutil.copytree(paths.PRETRAINED, paths.CANDIDATES / "lung")
    attack.main()
    found = attack_of("candidate lung")
    assert found["domain"] == "lung"
    assert found["auc"] == attack_of("pretrained")["auc"]
    check_read(paths.ATTACKS, read_attacks(), SCHEMA)


def test_a_broken_guarantee_is_a_warning(project, capsys):
    entry = {"domain": "lung", "unit": "patient", "epsilon": 1.0, "delta": 1e-5}
    write_trained("pretrained", privacy=[entry])
    write_trained("transfer", privacy=[entry])  # not towards those of the target
    attack.main()
    assert attack_of("transfer")["bound"] is None
    assert attack_of("pretrained")["bound"]["broken"] is False
    assert "warning: The privacy guarantee" not in capsys.readouterr().out
    remember_by_heart("lung")
    write_trained("pretrained", privacy=[entry])
    attack.main()
    assert attack_of("pretrained")["bound"]["broken"] is True
    assert "warning: The privacy guarantee of pretrained is broken:" in capsys.readouterr().out


def remember_by_heart(name: str) -> None:
    """Give members the label that the fresh network predicts, and all others the other one."""
    domain = Domain.read(paths.processed(name))
    network = build_network(**SHAPE, seed=0).eval()
    with torch.inference_mode():
        images = torch.from_numpy(np.array(domain.images)).float()
        codes = network(images).argmax(1).numpy()
    is_member = (read_parts(name) == "train").to_numpy()
    labels = np.array(CLASSES)[np.where(is_member, codes, 1 - codes)]
    edit_index(name, lambda index: index.update({"label": labels}))


def test_the_digest_of_a_private_models_data_needs_a_key_that_this_stage_does_not_have(project):
    data = {"domain": "lung", "train_sha256": "made with a key"}
    write_trained("pretrained", data=data, private_training={"clip": 1.0})
    attack.main()
    assert attack_of("pretrained")["method"] == "loss threshold"


def test_weights_from_elsewhere_are_not_attacked(project):
    write_trained("pretrained", weights={"from": "imagenet"})
    attack.main()
    assert read_attacks()["left_out"][0] == {
        "model": "pretrained",
        "reason": "its weights were trained elsewhere, on unknown patients",
    }


def test_a_test_part_of_another_site_is_not_attacked(project):
    parts = read_parts("liver")
    site = np.where(parts == "test", "elsewhere", "here")
    edit_index("liver", lambda index: index.update({"site": site}))
    attack.main()
    assert [entry["model"] for entry in read_attacks()["models"]] == ["pretrained"]
    reason = "no test patient is from a site of the training part"
    assert {"model": "bagging", "reason": reason} in read_attacks()["left_out"]


def test_a_model_of_other_patients_is_an_error(project):
    write_parts("liver", read_parts("liver").replace({"train": "test", "test": "train"}))
    with pytest.raises(InputError, match="^models/finetuned/scratch/card.json: trained on test, "):
        attack.main()
    assert not paths.ATTACKS.exists()


def test_a_missing_model_is_an_error(project):
    (paths.REGULARIZED / "card.json").unlink()
    with pytest.raises(InputError, match="^models/regularized/card.json: is missing, expected a"):
        attack.main()


def test_a_bit_flipped_in_what_it_reads_is_an_error(project):
    random = np.random.default_rng(2)
    inputs = [EMPTY, *Path("models/pretrained").iterdir(), *Path("data/splits").iterdir()]
    for path in inputs:
        content = path.read_bytes()
        flip_bit(path, int(random.integers(len(content) // 2)), int(random.integers(8)))
        with pytest.raises(InputError, match=f"^{path}: "):
            attack.main()
        path.write_bytes(content)


def test_a_privacy_entry_that_cannot_be_read_is_an_error(project):
    write_trained("pretrained", privacy=[{"domain": "lung", "epsilon": "three"}])
    with pytest.raises(InputError, match="^models/pretrained/card.json: privacy: "):
        attack.main()
