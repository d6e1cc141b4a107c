import json

import pytest
from jsonschema import ValidationError

from graft.membership.document import attacks_document
from tests.run_attacks import attack, attacks_of_run, guarantee


def sentences(*attacks: dict) -> list[str]:
    return [entry["sentence"] for entry in attacks_document(attacks, {}, 0.95)["models"]]


def test_an_attack_in_words():
    (sentence,) = sentences(attack("bagging", 0.8))
    assert sentence == (
        "bagging: the attack succeeds. It tells 42 training patients of liver from 41 other "
        "patients with an AUC of 0.800 [0.650, 0.900], and with 0 false alarms it finds "
        "2 % [0 %, 13 %] of those who were trained on."
    )
    (sentence,) = sentences(attack("scratch", 0.6))
    assert sentence.startswith("scratch: the attack does no better than guessing. ")


@pytest.mark.parametrize(
    ("below", "broken", "words"),
    [
        (True, False, "the attack stays below both."),
        (False, False, "the attack exceeds one of them, but not beyond chance."),
        (False, True, "even at its lower limit, so the guarantee is broken."),
    ],
)
def test_a_guarantee_in_words(below, broken, words):
    (sentence,) = sentences(attack("pretrained", 0.8, guarantee(below, broken)))
    expected = "(ε = 1, δ = 1e-05) allows an AUC of 0.731 and 2.7 % at 1 % false positives: "
    assert expected in sentence
    assert sentence.endswith(words)


def test_a_small_delta_is_kept():
    bound = guarantee(below=True, broken=False) | {"epsilon": 2.99357, "delta": 3.1e-8}
    (entry,) = attacks_document([attack("pretrained", 0.6, bound)], {}, 0.95)["models"]
    assert entry["bound"]["delta"] == 3.1e-8
    assert "(ε = 2.99, δ = 3e-08)" in entry["sentence"]


def test_warnings_name_broken_guarantees_and_the_models_that_tell():
    assert attacks_document([attack("scratch", 0.6)], {}, 0.95)["warnings"] == []
    kept = attack("pretrained", 0.7, guarantee(below=True, broken=False))
    found = attacks_document([kept, attack("bagging", 0.8)], {}, 0.95)["warnings"]
    assert found == [
        "Whoever has one of these models can infer better than by guessing whether a patient was "
        "in its training data: pretrained, bagging (AUC up to 0.800 [0.650, 0.900])."
    ]
    broken = attack("pretrained", 0.9, guarantee(below=False, broken=True))
    first, _ = attacks_document([broken], {}, 0.95)["warnings"]
    assert first.startswith("The privacy guarantee of pretrained is broken: the attack reaches an")


def test_unknown_models_and_numbers_do_not_pass_the_schema():
    with pytest.raises(ValidationError, match="best"):
        attacks_document([attack("best")], {}, 0.95)
    with pytest.raises(ValidationError, match=r"1\.2"):
        attacks_document(
            [attack("scratch") | {"fpr": {"value": 1.2, "low": 0, "high": 1}}], {}, 0.95
        )


def test_the_document_is_plain_json():
    content = attacks_of_run()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["left_out"] == [{"model": "deep", "reason": "this run has no such model"}]
