"""AUROC within folds by hand; and nothing of an outer fold decides what is tested on it."""

from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import torch

from graft.common import documents
from graft.common.seeds import generator
from graft.config.parameters import load_parameters
from graft.data.domain import Domain
from graft.evaluation import cross_validation
from graft.evaluation.cross_validation import Said, assemble, by_repeat, choose
from graft.networks.build import build_network
from graft.networks.saved import Model
from graft.repeated.cache import collect_units
from graft.repeated.cross_validation import Fold, candidate_sources
from graft.repeated.trainings import Rows, Trials

ROOT = Path(__file__).parents[3]
CLASSES = ["benign", "malignant"]
ROWS = Rows(np.arange(12), np.arange(12, 18), np.arange(18, 24))


def two(*disease):
    return np.stack([1 - np.array(disease), np.array(disease)], 1)


def test_pairs_count_within_a_fold_and_are_summed_over_folds():
    labels = np.array([0, 1, 1, 0, 1])
    said = [
        Said(0, np.array([0, 1, 2]), two(0.5, 0.6, 0.4)),  # 1 of 2 pairs
        Said(
            0, np.array([3, 4]), two(0.8, 0.9)
        ),  # 1 of 1, though its healthy one lies above all of the other fold
        Said(1, np.array([1, 2, 4]), two(0.1, 0.2, 0.3)),  # none
        Said(1, np.array([0, 3]), two(0.1, 0.2)),
    ]
    weights = np.array([[1.0, 1, 1, 1, 1], [1, 2, 0, 1, 1], [1, 1, 1, 0, 1]])
    found = by_repeat(labels, said, weights)
    assert found[:, 0] == pytest.approx([2 / 3, 1, 1 / 2])
    assert np.isnan(found[:, 1]).all()


def test_the_least_loss_is_chosen_and_of_equal_ones_the_first():
    assert choose([0.7, 0.5, 0.6]) == 1
    assert choose([0.5 + 1e-9, 0.5]) == 0


def fold(repeat, number, asked, validation, scratch, *offered):
    rows = Rows(np.array([], int), np.array(validation), np.array(asked))
    said = [{"validation": v, "asked": a} for v, a in offered]
    return Fold(repeat, number, rows, {"validation": scratch, "asked": scratch}, said)


def test_the_block_by_hand():
    index = pd.DataFrame({"patient": list("abcd"), "label": ["benign", "malignant"] * 2})
    domain = Domain("liver", np.zeros((4, 1, 8, 8)), index, CLASSES, {})
    right, wrong = two(0.2, 0.8), two(0.8, 0.2)
    card = {"weights_sha256": "0"}
    offered = candidate_sources({"lung": Model(card, [])}, [0.0, 0.1, 0.0])
    assert [(source.name, source.weight) for source in offered] == [("lung", 0.0), ("lung", 0.1)]
    folds = [
        fold(0, 0, [0, 1], [2, 3], wrong, (right, right), (wrong, wrong)),
        fold(0, 1, [2, 3], [0, 1], right, (right, right), (wrong, wrong)),
        fold(
            1, 0, [2, 3], [0, 1], wrong, (wrong, right), (right, wrong)
        ),  # the validation part misleads
        fold(1, 1, [0, 1], [2, 3], wrong, (right, right), (wrong, wrong)),
    ]
    block = assemble(domain, folds, offered, 300, 0.95, generator(0, "bootstrap"))[
        "cross_validation"
    ]
    assert (block["folds"], block["repeats"], block["patients"], block["lesions"]) == (2, 2, 4, 4)
    assert (
        block["models"]["scratch"]["by_repeat"] == [0.5, 0]
        and block["models"]["scratch"]["auroc"]["value"] == 0.25
    )
    assert block["models"]["transfer"]["by_repeat"] == [1, 0.5] and block["gain"]["value"] == 0.5
    assert block["gain"]["by_repeat"] == [0.5, 0.5] and block["gain"]["seed_sd"] == 0
    assert [row["chosen"] for row in block["candidates"]] == [3, 1]
    assert [row["auroc"] for row in block["candidates"]] == [1, 0]
    loss = (3 * -np.log(0.8) - np.log(0.2)) / 4
    assert block["candidates"][0]["validation_log_loss"] == pytest.approx(loss, abs=1e-6)
    choices = [(row["repeat"], row["fold"], row["lambda"]) for row in block["choices"]]
    assert choices == [(1, 1, 0), (1, 2, 0), (2, 1, 0.1), (2, 2, 0)]
    assert len(list(cross_validation.lines({"cross_validation": block}))) == 3


def test_the_schema_takes_none_and_refuses_what_it_does_not_know():
    documents.check_schema({"cross_validation": None}, cross_validation.SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        documents.check_schema({"cross_validation": {"folds": 5}}, cross_validation.SCHEMA)


@pytest.fixture
def setting(tmp_path, monkeypatch):
    """Trials on 24 grey planes, and a network to start from."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    index = pd.DataFrame(
        {"patient": [f"p{i:02}" for i in range(24)], "label": np.array(CLASSES)[np.arange(24) % 2]}
    )
    domain = Domain(
        "liver",
        np.random.default_rng(0).random((24, 1, 8, 8)).astype(np.float16),
        index,
        CLASSES,
        {},
    )
    parameters = load_parameters(ROOT / "params.yaml")
    shape = {"name": "resnet", "patch": [8, 8], "channels": 1, "classes": 2, "width": 8}
    model = Model({"architecture": shape, "weights_sha256": "7"}, [build_network(**shape, seed=7)])
    quick = parameters.finetune.model_copy(update={"epochs": 2})
    trials = Trials(
        "cross_validate",
        domain,
        parameters.network,
        quick,
        parameters.training,
        parameters.augment,
        torch.device("cpu"),
    )
    yield trials, candidate_sources({"lung": model}, [0.01, 1.0])
    torch.set_num_threads(threads)


def trained(trials, offered):
    units = [trials.unit("scratch", "scratch", ROWS, 3)]
    units += [trials.unit(f"{source.weight}", "transfer", ROWS, 3, source) for source in offered]
    units.append(trials.unit("frozen", "frozen", ROWS, 3, offered[0]))
    return collect_units("cross_validate", units)


def test_what_an_outer_fold_says_changes_no_network_and_no_choice(setting):
    trials, offered = setting
    before = trained(trials, offered)
    images, index = trials.domain.images.copy(), trials.domain.index.copy()
    index.loc[ROWS.asked, "label"] = index.loc[ROWS.asked, "label"].map(
        dict(zip(CLASSES, CLASSES[::-1], strict=True))
    )
    images[ROWS.asked[0]] = 0
    after = trained(
        replace(trials, domain=replace(trials.domain, images=images, index=index)), offered
    )
    for one, other in zip(before, after, strict=True):
        assert one["validation"].tobytes() == other["validation"].tobytes()
        assert one["asked"][1:].tobytes() == other["asked"][1:].tobytes()
        assert one["asked"][0].tobytes() != other["asked"][0].tobytes()
    assert before[1]["asked"].tobytes() != before[2]["asked"].tobytes()  # λ does something


def test_what_it_learns_from_changes_it(setting):
    trials, offered = setting
    before = trained(trials, offered)
    index = trials.domain.index.copy()
    index.loc[ROWS.train[:4], "label"] = "benign"
    after = trained(replace(trials, domain=replace(trials.domain, index=index)), offered)
    assert all(
        one["asked"].tobytes() != other["asked"].tobytes()
        for one, other in zip(before, after, strict=True)
    )
