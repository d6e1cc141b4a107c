"""Federated training of three sites in one process, against training in one place."""

import json
from pathlib import Path

import pytest
import torch

from graft.common.files import InputError
from graft.federated.messages import TRAIN, Message
from graft.federated.settings import Rounds
from graft.federated.simulate import simulate
from graft.networks.saved import load_model
from tests.federation import (
    LR,
    SIZES,
    largest_difference,
    plain_sgd,
    read_site,
    train_pooled,
    write_federation,
    write_site,
)

# One local step with a full batch, and nothing random.
FULL_BATCH = {
    "training": {"batch": 64, "schedule": "constant"},
    "pretrain": {"transforms": 0, "lr": LR},
}
SEED = 42  # of params.yaml


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(names="abc", wish=None, folder="models/federated", **fields):
    sites = [read_site(name, **fields) for name in names]
    simulate(sites, wish or Rounds(rounds=1), Path(folder))
    return load_model(Path(folder))


def tensors_of(model):
    return model.networks[0].saved_tensors()


def test_one_full_step_in_each_round_is_training_in_one_place():
    write_federation(**FULL_BATCH)
    run(wish=Rounds(rounds=6), make=plain_sgd, folder="f")
    best = json.loads(Path("f/card.json").read_text())["scores"]["round"]
    found = tensors_of(load_model(Path("f")))
    assert largest_difference(found, train_pooled(best, SEED)) < 1e-6
    assert largest_difference(found, train_pooled(best - 1, SEED)) > 1e-4  # the check can fail


def test_several_local_steps_are_not_training_in_one_place():
    write_federation(**FULL_BATCH)
    found = run(wish=Rounds(rounds=1, local_epochs=5), make=plain_sgd)
    assert largest_difference(tensors_of(found), train_pooled(5, SEED)) > 1e-5


def test_the_proximal_term_is_half_of_mu_times_the_squared_distance():
    write_federation(**FULL_BATCH)
    # In the first step of a round the term and its gradient are 0, hence three steps of one site.
    found = tensors_of(run("a", Rounds(rounds=1, local_epochs=3, mu=4.0), make=plain_sgd))
    assert largest_difference(found, train_pooled(3, SEED, mu=4.0, sites="a")) < 1e-6
    assert largest_difference(found, train_pooled(3, SEED, sites="a")) > 1e-5


def test_two_runs_have_the_same_bytes_in_any_order_of_the_sites():
    write_federation()
    run("abc", folder="one")
    run("cab", folder="other")
    for file in ("weights.safetensors", "card.json"):
        assert Path("one", file).read_bytes() == Path("other", file).read_bytes()


def test_the_card_says_who_took_part():
    write_federation()
    card = run().card
    assert [site["name"] for site in card["federated"]["sites"]] == ["a", "b", "c"]
    assert [sum(site["lesions"]) for site in card["federated"]["sites"]] == [6, 10, 14]
    assert [site["validation"] for site in card["federated"]["sites"]] == [3, 5, 7]
    assert card["classes"] == ["benign", "malignant"]
    losses = [row["validation_loss"] for row in card["federated"]["validation"]]
    assert card["scores"]["validation_loss"] == min(losses)
    assert card["training"]["seed"] == SEED


def test_the_rounds_are_those_of_the_epochs():
    write_federation(pretrain={"epochs": 5, "patience": 5})
    assert run(wish=Rounds(local_epochs=2)).card["federated"]["rounds"] == 3


def test_training_stops_after_patience():
    write_federation(pretrain={"patience": 2, "lr": 1.0})
    rows = run(wish=Rounds(rounds=30)).card["federated"]["validation"]
    losses = [row["validation_loss"] for row in rows]
    assert len(rows) < 30
    assert losses.index(min(losses)) == len(rows) - 3


def test_a_patient_at_two_sites_is_left_out_at_the_later_one():
    write_federation()
    write_site("b", patient=["a00", *[f"b{i:02}" for i in range(1, SIZES["b"])]])
    sites = run().card["federated"]["sites"]
    assert [site["left_out"] for site in sites] == [0, 1, 0]
    assert [site["patients"] for site in sites] == [6, 9, 14]


def test_a_patient_in_a_test_part_is_learned_from_nowhere():
    write_federation()
    tested = "c03"  # in the part test of c
    write_site("a", patient=[tested, *[f"a{i:02}" for i in range(1, SIZES["a"])]])
    sites = run().card["federated"]["sites"]
    assert [site["left_out"] for site in sites] == [1, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": [-500.0, 400.0]}, r"site b: window is \[-500.0, 400.0\], expected \[-1000"),
        ({"spacing": [2.0, 1.0]}, r"site b: spacing is \[2.0, 1.0\], expected \[1.0, 1.0\]"),
        ({"intensity": "zscore"}, "site b: intensity is 'zscore', expected 'window' as at site a"),
    ],
)
def test_sites_that_differ_are_refused_by_name_and_key(change, message):
    write_federation()
    write_site("b", **change)
    with pytest.raises(InputError, match=message):
        run()


def test_a_site_with_another_network_is_refused():
    write_federation()
    site = read_site("c")
    wider = site.parameters.network.model_copy(update={"width": 16})
    site.parameters = site.parameters.model_copy(update={"network": wider})
    sites = [read_site("a"), read_site("b"), site]
    with pytest.raises(InputError, match="site c: network.width is 16, expected 8 as at site a"):
        simulate(sites, Rounds(), Path("models/federated"))
    assert not Path("models/federated").exists()


def test_a_site_with_another_patient_key_is_refused():
    write_federation()
    sites = [read_site("a"), read_site("b", key="another key of sixteen characters")]
    with pytest.raises(InputError, match="site b: patient_key is .* two keys, a patient"):
        simulate(sites, Rounds(), Path("models/federated"))


def test_two_sites_with_one_name_are_refused():
    write_federation()
    with pytest.raises(InputError, match="site a: two sites have this name"):
        simulate([read_site("a"), read_site("a")], Rounds(), Path("models/federated"))


def test_parameters_that_are_not_finite_name_the_site():
    write_federation()
    site = read_site("b")
    answer = site.answer

    def spoil(question: Message) -> Message:
        found = answer(question)
        if question.kind == TRAIN:
            next(iter(found.tensors.values()))[0] = torch.nan
        return found

    site.answer = spoil
    with pytest.raises(InputError, match="site b: its parameters of round 1 have NaN"):
        simulate([read_site("a"), site], Rounds(), Path("models/federated"))
    assert not Path("models/federated").exists()


def test_a_loss_that_is_not_finite_names_the_site():
    write_federation(pretrain={"lr": 10.0, "l2": 1e6})
    with pytest.raises(InputError, match="site a: federated/a: the loss became"):
        run(wish=Rounds(local_epochs=30), make=plain_sgd)


def test_a_server_of_another_version_is_told_apart(monkeypatch):
    write_federation()
    sites = [read_site("a"), read_site("b")]
    described = [site.answer(Message("describe", {"session": "one"})) for site in sites]
    for site, answer in zip(sites, described, strict=True):
        monkeypatch.setattr(site, "answer", lambda question, answer=answer: answer)
    described[0].content["agreed"]["graft"] = "00000000"
    with pytest.raises(InputError, match="site a: graft is '00000000', expected .* at the server"):
        simulate(sites, Rounds(), Path("models/federated"))


def test_a_model_that_cannot_be_written_ends_the_sites_too():
    write_federation()
    Path("models").write_text("a file")
    with pytest.raises(OSError, match="models"):
        run()
