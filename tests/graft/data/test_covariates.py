"""Covariates as numbers, in the head of a network, and in what a model directory says."""

import csv
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit
from torch.func import functional_call, stack_module_state, vmap

from graft.common.files import InputError
from graft.data import covariates
from graft.data.covariates import WORD_BUCKETS, Encoding, bag_of_words, withheld
from graft.data.domain import Domain, Grid, write_domain
from graft.evaluation.baselines import covariates_only
from graft.ingest import covariates as ingest_covariates
from graft.networks import saved
from graft.networks.build import build_network
from graft.networks.registry import NETWORKS
from graft.transfer.carry import carry, same_covariates
from tests.raw import read_domain

KINDS = {"age": "number", "note": "text", "sex": "category"}
TRAIN = pd.DataFrame(
    {
        "age": ["40", "60", ""],
        "note": bag_of_words(["old scar", "", "fever"]),
        "sex": ["f", "", "m"],
    }
)
SHAPE = {"patch": (16, 16), "channels": 1, "classes": 2, "width": 8}


def fitted(**columns: list[str]) -> Encoding:
    """The encoding of columns, each named by its kind."""
    return covariates.fit_encoding(pd.DataFrame(columns), {name: name for name in columns}, "liver")


def test_numbers_by_hand():
    # Mean 50 and standard deviation 10 of the two that are known.
    encoding = fitted(number=["40", "60", ""])
    assert encoding.encode(pd.DataFrame({"number": ["65", "", "40"]})).tolist() == [
        [1.5, 0],
        [0, 1],
        [-1, 0],
    ]


def test_equal_numbers_are_not_divided_by_rounding():
    found = fitted(number=["0.1"] * 3).encode(pd.DataFrame({"number": ["0.1", "1.1"]}))
    assert found == pytest.approx(np.array([[0, 0], [1, 0]]))


def test_categories_by_hand():
    encoding = fitted(category=["m", "f", "", "m"])
    table = pd.DataFrame({"category": ["f", "m", "x", ""]})
    assert encoding.encode(table).tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [0, 0, 1],
    ]  # f, m, neither of them


def test_texts_by_hand():
    scar, old = bag_of_words(["scar", "old"])
    assert bag_of_words(["Old scar, old SCAR; scar! a"]) == [
        " ".join(sorted((f"{old[:-1]}2", f"{scar[:-1]}3"), key=bucket))
    ]
    found = fitted(text=bag_of_words(["fever"])).encode(
        pd.DataFrame({"text": bag_of_words(["old old old scar scar scar scar", " -- "])})
    )
    assert found.shape == (2, WORD_BUCKETS + 1)
    assert (found[0, bucket(old)], found[0, bucket(scar)], found[0].sum()) == pytest.approx(
        (0.6, 0.8, 1.4)
    )
    assert found[1].tolist() == [0] * WORD_BUCKETS + [1]


def bucket(pair: str) -> int:
    return int(pair.partition(":")[0])


def test_all_kinds_stand_side_by_side_and_a_withheld_lesion_says_so_in_each():
    encoding = covariates.fit_encoding(TRAIN, KINDS, "liver")
    assert encoding.encode(TRAIN).shape == (3, encoding.width) == (3, 2 + WORD_BUCKETS + 1 + 3)
    hidden = encoding.encode(withheld(TRAIN))
    assert np.flatnonzero(hidden[0]).tolist() == [1, 2 + WORD_BUCKETS, encoding.width - 1]
    assert (hidden == hidden[0]).all()


def test_no_covariates_are_no_numbers():
    nothing = pd.DataFrame(index=range(3))
    assert covariates.fit_encoding(nothing, {}, "liver").encode(nothing).shape == (3, 0)


@pytest.mark.parametrize(
    ("columns", "asked", "told"),
    [
        (
            {"number": ["", ""]},
            {},
            r"domains.liver: the covariate 'number' is empty in all 2 lesions",
        ),
        ({"number": ["1", "2"]}, {"number": ["old"]}, "number is 'old', expected a number"),
        ({"number": ["1", "2"]}, {"category": ["f"]}, "no column number, expected number"),
        (
            {"text": bag_of_words(["scar"])},
            {"text": ["old scar"]},
            "text is 'old scar', expected what",
        ),
    ],
)
def test_what_cannot_be_encoded_is_one_line(columns, asked, told):
    with pytest.raises(InputError, match=told) as caught:
        fitted(**columns).encode(pd.DataFrame(asked))
    assert "\n" not in str(caught.value)


def test_the_regression_is_the_start_of_the_head_and_the_baseline():
    known, labels = np.array([[-1.0, 0], [0, 0], [1, 0], [2, 0]]), np.array([0, 0, 1, 1])
    weights, bias = covariates.regress(known, labels, 2, balanced=True)
    assert (
        weights[:, 1].tolist() == [0, 0] and weights[1, 0] == -weights[0, 0] > 0
    )  # what is never there says nothing
    # By symmetry about 0.5 the chance there is one half.
    assert covariates_only(known, labels, np.array([[0.5, 0]]), 2) == pytest.approx(
        np.array([[0.5, 0.5]]), abs=1e-4
    )
    expected = expit(known @ (weights[1] - weights[0]) + bias[1] - bias[0])
    assert np.allclose(covariates_only(known, labels, known, 2)[:, 1], expected)


def test_a_class_that_nobody_has_leaves_the_regression_silent():
    weights, bias = covariates.regress(np.ones((2, 3)), np.array([0, 2]), 3, balanced=True)
    assert not weights.any() and not bias.any()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_reads_covariates_beside_the_image(name):
    patch = (32,) * NETWORKS[name].dimensions[0]
    plain = build_network(name, **{**SHAPE, "patch": patch}, seed=1).eval()
    joint = build_network(name, **{**SHAPE, "patch": patch}, seed=1, covariates=3).eval()
    assert plain.state_dict().keys() == joint.state_dict().keys()
    images, known = torch.rand(2, 1, *patch), torch.rand(2, 3)
    assert torch.allclose(
        joint(images, known), plain(images), atol=1e-6
    )  # at first they say nothing
    joint.add_to_head(torch.tensor([[0.0, 0, 0], [1, 2, 3]]), torch.tensor([0.0, 4]))
    added = joint(images, known) - plain(images)
    assert torch.allclose(
        added, torch.stack([torch.zeros(2), known @ torch.tensor([1.0, 2, 3]) + 4], 1), atol=1e-5
    )


def test_members_with_covariates_learn_together_under_vmap():
    members = [build_network("resnet", **SHAPE, seed=k, covariates=3) for k in range(3)]
    stacked, _ = stack_module_state(members)
    images, known = torch.rand(3, 4, 1, 16, 16), torch.rand(3, 4, 3)
    together = vmap(lambda weights, *batch: functional_call(members[0], weights, batch))(
        stacked, images, known
    )
    alone = [member(*batch) for member, *batch in zip(members, images, known, strict=True)]
    assert torch.allclose(together, torch.stack(alone), atol=1e-5)


def test_the_body_is_carried_between_domains_of_other_covariates():
    source, target = (
        build_network("resnet", **SHAPE, seed=1, covariates=2),
        build_network("resnet", **SHAPE, seed=2, covariates=5),
    )
    carried = carry(source.saved_tensors(), target, head="new")
    assert torch.equal(source.body.stem.weight, target.body.stem.weight) and carried.new == [
        "head.bias",
        "head.weight",
    ]


def test_a_pretrained_head_wants_the_same_covariates():
    here = covariates.fit_encoding(TRAIN, KINDS, "lung")
    same_covariates(
        here, covariates.fit_encoding(TRAIN.replace("40", "41"), KINDS, "liver")
    )  # its own mean is no difference
    with pytest.raises(
        InputError,
        match=r"finetune.head: got 'pretrained'.* age, note, sex, but the target has none",
    ):
        same_covariates(here, Encoding())
    with pytest.raises(InputError, match="with the same categories, or head: new"):
        same_covariates(here, covariates.fit_encoding(TRAIN.replace("m", "x"), KINDS, "liver"))


def test_a_model_directory_is_enough_to_predict_with(tmp_path):
    torch.manual_seed(0)
    encoding = covariates.fit_encoding(TRAIN, KINDS, "liver")
    architecture = {"name": "resnet", **SHAPE, "covariates": encoding.width}
    network = build_network(**architecture, seed=0).eval()
    torch.nn.init.normal_(network.head.weight)
    card = {
        "architecture": architecture,
        "classes": ["benign", "malignant"],
        "covariates": list(encoding.columns),
    }
    saved.save_model(tmp_path, [network], card)
    images, loaded = torch.rand(3, 1, 16, 16), saved.load_model(tmp_path)
    expected = network(images, torch.from_numpy(encoding.encode(TRAIN))).softmax(1).detach().numpy()
    assert np.allclose(loaded.predict(images, TRAIN.assign(other="x")), expected, atol=1e-6)
    assert not np.allclose(loaded.predict(images, withheld(TRAIN)), expected, atol=1e-3)
    with pytest.raises(
        InputError, match="covariates: got none, expected age, note, sex of 3 images"
    ):
        loaded.predict(images)
    with pytest.raises(InputError, match="covariates: got 2 rows, expected"):
        loaded.predict(images, TRAIN[:2])


@pytest.fixture
def cohort(tmp_path) -> Path:
    """A manifest of three lesions, with an age, a sex and a note."""
    rng = np.random.default_rng(0)
    nibabel.save(
        nibabel.Nifti1Image(rng.random((12, 12, 12), np.float32), np.eye(4)),
        tmp_path / "ann.nii.gz",
    )
    notes = "Jane Doe, cirrhosis", "", "ok"
    rows = [("benign", 4, "71", "f"), ("malignant", 5, "", "m"), ("benign", 6, "1e1", "")]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient", "image", "label", "x", "y", "z", "age", "sex", "note"))
        for (label, x, *known), note in zip(rows, notes, strict=True):
            table.writerow(("ann", "ann.nii.gz", label, x, 6, 6, *known, note))
    return tmp_path


def read(path: Path, kinds: dict[str, str]) -> Domain:
    grid = Grid((8, 8, 8), (1.0,) * 3, (0.0, 1.0))
    return read_domain(path, "liver", ["benign", "malignant"], grid, covariates=kinds)


def test_the_columns_of_a_manifest_come_with_the_domain_and_its_text_is_gone(cohort, tmp_path):
    write_domain(
        tmp_path / "liver", read(cohort, {"sex": "category", "note": "text", "age": "number"})
    )
    domain = Domain.read(tmp_path / "liver")
    assert list(domain.kinds.items()) == sorted(KINDS.items())
    assert domain.covariates["age"].tolist() == ["71", "", "1e1"]
    assert domain.covariates["sex"].tolist() == ["f", "m", ""]
    assert domain.covariates["note"].tolist() == bag_of_words(["Jane Doe, cirrhosis", "", "ok"])
    assert not any(b"Jane" in path.read_bytes() for path in (tmp_path / "liver").iterdir())
    (tmp_path / "liver/covariates.csv").write_text("sample,age,note\n")
    with pytest.raises(
        InputError,
        match="covariates.csv: cannot be read, expected the columns sample, age, note, sex",
    ):
        Domain.read(tmp_path / "liver")


def test_a_domain_without_covariates_has_no_file_of_them(cohort, tmp_path):
    write_domain(tmp_path / "liver", read(cohort, {}))
    files = {
        "images.npy",
        "index.csv",
        "domain.json",
        "groups.csv",
    }  # sex and age are kept for the subgroups
    assert {path.name for path in (tmp_path / "liver").iterdir()} == files
    assert "covariates" not in (tmp_path / "liver/domain.json").read_text()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("71", "old", r"manifest.csv:2: age is 'old', expected a number, or nothing"),
        ("71", "inf", r"manifest.csv:2: age is 'inf', expected a number"),
        (",age", ",years", "has no column age, expected the covariates of the parameters"),
    ],
)
def test_a_wrong_column_is_one_line(cohort, before, after, told):
    manifest = cohort / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(before, after))
    with pytest.raises(InputError, match=told):
        read(cohort, KINDS)


def test_a_category_with_a_value_a_lesion_is_refused(cohort, monkeypatch):
    monkeypatch.setattr(ingest_covariates, "MAX_CATEGORIES", 1)
    with pytest.raises(
        InputError, match="the category sex has 2 different values, expected at most 1"
    ):
        read(cohort, KINDS)


def test_only_a_manifest_has_columns(tmp_path):
    np.save(tmp_path / "data.npy", np.random.default_rng(0).random((4, 8, 8, 8)))
    np.save(tmp_path / "labels.npy", np.array([0, 1, 0, 1]))
    with pytest.raises(
        InputError, match=r"domains.liver.covariates: got age, note, sex, expected \{\}, as"
    ):
        read(tmp_path, KINDS)
