import json
from pathlib import Path

import numpy as np
import pytest
import torch

from graft.common.files import read_json, write_sealed
from graft.data.task import read_task
from graft.forgetting import models
from graft.forgetting.models import find_models
from graft.forgetting.patient_rows import PatientRows
from graft.forgetting.wanted import Wanted
from graft.keys.pseudonyms import PUBLISHED_KEY, keyed_sha256
from tests.small_target import SHAPE, write_target

TRAINED, VALIDATED, TESTED = "p00", "p04", "p06"  # in the parts of `write_target`
ELSEWHERE = {"domain": "other", "train_sha256": "0" * 64, "validation_sha256": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_target()
        yield folder


def rows(patient: str) -> PatientRows:
    split = Path("data/splits/liver.csv")
    wanted = Wanted(patient, [PUBLISHED_KEY])
    return PatientRows(Path("data/processed/liver"), split, Path("none.json"), wanted)


def own_data() -> dict:
    return read_task(
        Path("data/processed/liver"), Path("data/splits/liver.csv"), torch.device("cpu")
    ).sha256()


def write_card(folder: Path, digest: str, data: object, parent: str | None = None) -> Path:
    folder.mkdir(parents=True)
    card = {"architecture": SHAPE, "classes": ["a", "b"], "shares": [1.0], "weights_sha256": digest}
    card |= {"data": data, "parent": parent and {"folder": "x", "weights_sha256": parent}}
    write_sealed(folder / "card.json", card)
    return folder / "card.json"


def found_for(patient: str, cards: list[Path]) -> dict[str, str]:
    return {one.folder.name: one.how for one in find_models(cards, {"liver": rows(patient)})}


def test_the_part_of_the_patient_decides(folder):
    card = write_card(folder / "parts/own", "1" * 64, own_data())
    unvalidated = own_data() | {"validation_sha256": None}
    other = write_card(folder / "parts/unvalidated", "2" * 64, unvalidated)
    assert found_for(TRAINED, [card, other]) == {
        "own": models.TRAINED,
        "unvalidated": models.TRAINED,
    }
    assert found_for(VALIDATED, [card, other]) == {"own": models.VALIDATED, "unvalidated": ""}
    assert found_for(TESTED, [card, other]) == {"own": "", "unvalidated": ""}


def test_other_data_than_now_is_not_certain(folder):
    changed = own_data() | {"train_sha256": "9" * 64}
    card = write_card(folder / "unknown/changed", "3" * 64, changed)
    elsewhere = write_card(folder / "unknown/elsewhere", "4" * 64, ELSEWHERE)
    weights = write_card(folder / "unknown/weights", "5" * 64, None)
    write_sealed(weights, read_json(weights) | {"weights": "imagenet"})
    hospitals = write_card(folder / "unknown/hospitals", "6" * 64, None)
    assert found_for(TESTED, [card, elsewhere, weights, hospitals]) == {
        "changed": models.UNKNOWN,
        "elsewhere": "",
        "weights": "",
        "hospitals": models.UNKNOWN,
    }


def test_what_is_made_from_a_model_follows_it(folder):
    root = folder / "lineage"
    source = write_card(root / "source", "a" * 64, own_data())
    child = write_card(root / "child", "b" * 64, ELSEWHERE, parent="a" * 64)
    orphan = write_card(root / "orphan", "c" * 64, ELSEWHERE, parent="f" * 64)
    adapted = write_card(root / "adapted", "d" * 64, ELSEWHERE)
    (adapted.parent / "fitted.json").write_text(json.dumps({"parent": {"sha256": "b" * 64}}))
    fold = write_card(root / "child/folds/1", "e" * 64, ELSEWHERE)
    cards = [adapted, child, fold, orphan, source]
    found = find_models(cards, {"liver": rows(TRAINED)})
    assert {one.folder.name: one.how for one in found} == {
        "source": models.TRAINED,
        "child": models.DESCENDANT,
        "adapted": models.DESCENDANT,
        "orphan": models.UNKNOWN,
    }
    order = [one.folder.name for one in found]
    assert order.index("adapted") < order.index("child") < order.index("source")
    assert found_for(TESTED, cards)["child"] == ""


def test_a_card_that_cannot_be_read_is_not_certain(folder):
    (folder / "broken").mkdir()
    (folder / "broken/card.json").write_text("{")
    assert found_for(TESTED, [folder / "broken/card.json"]) == {"broken": models.UNKNOWN}


def test_the_bytes_of_the_patient_are_those_of_the_processed_domain(folder):
    patches = rows(TRAINED).patches()
    images = np.load("data/processed/liver/images.npy")
    assert patches == [images[0].tobytes()]
    assert rows(TRAINED).pseudonyms == [TRAINED]


def test_a_digest_under_a_key_is_recognised(folder):
    digest = keyed_sha256(own_data()["train_sha256"], PUBLISHED_KEY)
    private = {"domain": "liver", "train_sha256": digest, "validation_sha256": None}
    card = write_card(folder / "keyed/private", "7" * 64, private)
    assert found_for(TRAINED, [card]) == {"private": models.TRAINED}
    assert found_for(VALIDATED, [card]) == {"private": ""}


def test_adopted_and_adapted_models_are_not_certain(folder):
    adopted = write_card(folder / "others/adopted", "8" * 64, None)
    write_sealed(adopted, read_json(adopted) | {"weights": {"source": "model"}})
    adapted = write_card(folder / "others/adapted", "9" * 64, ELSEWHERE)
    (adapted.parent / "fitted.json").write_text(json.dumps({"adaptation": {"patients": 3}}))
    assert found_for(TESTED, [adopted, adapted]) == {
        "adopted": models.UNKNOWN,
        "adapted": models.ADAPTED,
    }
