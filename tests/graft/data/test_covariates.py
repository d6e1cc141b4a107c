"""Covariates as numbers, in the head of a network, and in a model directory."""

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
from graft.data.domain import Domain, write_domain
from graft.evaluation.baselines import covariates_only
from graft.grids.grid import Grid
from graft.ingest import columns
from graft.networks import saved
from graft.networks.build import build_network
from graft.networks.registry import NETWORKS
from graft.transfer.carry import carry, same_covariates
from tests.raw import read_domain
from tests.seals import reseal

KINDS = {"age": "number", "note": "text", "sex": "category"}
TRAIN = pd.DataFrame(
    {
        "age": ["40", "60", ""],
        "note": bag_of_words(["old scar", "", "fever"]),
        "sex": ["f", "", "m"],
    }
)
SHAPE = {"patch": (16, 16), "channels": 1, "classes": 2, "width": 8}


def fit(**columns: list[str]) -> Encoding:
    """The encoding of columns, each named by its kind."""
    kinds = {name: name for name in columns}
    return covariates.fit_encoding(pd.DataFrame(columns), kinds, "liver")


def fit_train(kinds: dict[str, str] = KINDS, domain: str = "liver") -> Encoding:
    return covariates.fit_encoding(TRAIN, kinds, domain)


def encode(encoding: Encoding, **columns: list[str]) -> np.ndarray:
    return encoding.encode(pd.DataFrame(columns))


def test_a_number_is_standardised_beside_a_flag_for_a_missing_one():
    # The two that are known have a mean of 50 and a standard deviation of 10: 65 is 1.5
    # standard deviations above, and 40 is 1 below.
    encoding = fit(number=["40", "60", ""])
    found = encode(encoding, number=["65", "", "40"])
    assert found.tolist() == [
        [1.5, 0],
        [0, 1],
        [-1, 0],
    ]


def test_equal_numbers_are_not_divided_by_a_rounding_error():
    encoding = fit(number=["0.1"] * 3)
    first, second = encode(encoding, number=["0.1", "1.1"])
    assert first.tolist() == pytest.approx([0, 0])
    assert second.tolist() == pytest.approx([1, 0])


def test_a_category_has_one_column_per_value_and_one_for_others():
    encoding = fit(category=["m", "f", "", "m"])
    found = encode(encoding, category=["f", "m", "x", ""])
    # The columns are f, m, and neither of them.
    assert found.tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [0, 0, 1],
    ]


def bucket_of(entry: str) -> int:
    """The bucket of an entry of a bag of words, which is "bucket:count"."""
    bucket, _, _ = entry.partition(":")
    return int(bucket)


def test_a_bag_of_words_counts_the_buckets_of_words():
    scar, old = (bucket_of(entry) for entry in bag_of_words(["scar", "old"]))
    found = bag_of_words(["Old scar, old SCAR; scar! a"])
    expected = sorted({old: 2, scar: 3}.items())
    assert found == [" ".join(f"{bucket}:{count}" for bucket, count in expected)]


def test_a_text_is_a_unit_vector_beside_a_flag_for_an_empty_one():
    scar, old = (bucket_of(entry) for entry in bag_of_words(["scar", "old"]))
    encoding = fit(text=bag_of_words(["fever"]))
    words = bag_of_words(["old old old scar scar scar scar", " -- "])
    found = encode(encoding, text=words)
    # The counts 3 and 4 have a length of 5.
    assert found.shape == (2, WORD_BUCKETS + 1)
    assert found[0, old] == pytest.approx(0.6)
    assert found[0, scar] == pytest.approx(0.8)
    assert found[0].sum() == pytest.approx(1.4)
    assert found[1].tolist() == [0] * WORD_BUCKETS + [1]


def test_the_columns_of_all_kinds_are_joined():
    encoding = fit_train()
    assert encoding.width == 2 + WORD_BUCKETS + 1 + 3  # age, note and sex
    assert encoding.encode(TRAIN).shape == (3, encoding.width)


def test_withheld_covariates_are_encoded_as_missing():
    encoding = fit_train()
    hidden = encoding.encode(withheld(TRAIN))
    flags_of_missing = [1, 2 + WORD_BUCKETS, encoding.width - 1]
    assert np.flatnonzero(hidden[0]).tolist() == flags_of_missing
    assert (hidden == hidden[0]).all()


def test_without_covariates_the_encoding_has_no_columns():
    nothing = pd.DataFrame(index=range(3))
    encoding = covariates.fit_encoding(nothing, {}, "liver")
    assert encoding.encode(nothing).shape == (3, 0)


@pytest.mark.parametrize(
    ("columns", "encoded", "message"),
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
def test_covariates_that_cannot_be_encoded_are_refused_in_one_line(columns, encoded, message):
    with pytest.raises(InputError, match=message) as caught:
        encode(fit(**columns), **encoded)
    assert "\n" not in str(caught.value)


# The second covariate is 0 in every lesion. The classes differ at 0.5 of the first.
KNOWN = np.zeros((4, 2))
KNOWN[:, 0] = (-1, 0, 1, 2)
LABELS = np.array([0, 0, 1, 1])


def test_the_regression_ignores_a_covariate_that_is_always_0():
    weights, _ = covariates.regress(KNOWN, LABELS, 2, balanced=True)
    assert weights[:, 1].tolist() == [0, 0]
    assert weights[1, 0] == -weights[0, 0]
    assert weights[1, 0] > 0


def test_the_baseline_of_covariates_is_that_regression():
    weights, bias = covariates.regress(KNOWN, LABELS, 2, balanced=True)
    weight_difference = weights[1] - weights[0]
    logits = KNOWN @ weight_difference + bias[1] - bias[0]
    predicted = covariates_only(KNOWN, LABELS, KNOWN, 2)
    assert np.allclose(predicted[:, 1], expit(logits))

    # The lesions are symmetric about 0.5, so the probability there is one half.
    middle = np.array([[0.5, 0]])
    (probabilities,) = covariates_only(KNOWN, LABELS, middle, 2)
    assert probabilities.tolist() == pytest.approx([0.5, 0.5], abs=1e-4)


def test_the_regression_is_0_if_a_class_has_no_lesions():
    known = np.ones((2, 3))
    labels = np.array([0, 2])
    weights, bias = covariates.regress(known, labels, 3, balanced=True)
    assert not weights.any()
    assert not bias.any()


# The deeper networks of a library differ in the number of blocks and features.
DEEPER = ("resnet34", "resnet50-planes", "resnet50-inflated", "medicalnet-resnet50")


@pytest.mark.parametrize("name", [name for name in NETWORKS if not any(d in name for d in DEEPER)])
def test_every_kind_of_network_adds_covariates_to_its_logits(name):
    side = 32 if name == "densenet121" else 16
    patch = (side,) * NETWORKS[name].dimensions[0]
    shape = SHAPE | {"patch": patch}
    plain = build_network(name, **shape, seed=1).eval()
    joint = build_network(name, **shape, seed=1, covariates=3).eval()
    assert plain.state_dict().keys() == joint.state_dict().keys()
    images = torch.rand(2, 1, *patch)
    known = torch.rand(2, 3)
    # A new network gives its covariates a weight of 0.
    assert torch.allclose(joint(images, known), plain(images), atol=1e-6)

    weights = torch.tensor([1.0, 2, 3])
    weights_of_classes = torch.stack([torch.zeros(3), weights])
    joint.add_to_head(weights_of_classes, torch.tensor([0.0, 4]))
    added = joint(images, known) - plain(images)  # (2, classes)
    logit = known @ weights + 4
    assert torch.allclose(added[:, 0], torch.zeros(2), atol=1e-5)
    assert torch.allclose(added[:, 1], logit, atol=1e-5)


def test_members_with_covariates_give_the_same_logits_under_vmap():
    members = []
    for seed in range(3):
        members.append(build_network("resnet", **SHAPE, seed=seed, covariates=3))
    stacked, _ = stack_module_state(members)
    images = torch.rand(3, 4, 1, 16, 16)  # a batch per member
    known = torch.rand(3, 4, 3)

    def forward(weights, *batch):
        return functional_call(members[0], weights, batch)

    together = vmap(forward)(stacked, images, known)
    alone = []
    for member, batch, values in zip(members, images, known, strict=True):
        alone.append(member(batch, values))
    assert torch.allclose(together, torch.stack(alone), atol=1e-5)


def test_the_body_is_carried_between_domains_with_different_covariates():
    source = build_network("resnet", **SHAPE, seed=1, covariates=2)
    target = build_network("resnet", **SHAPE, seed=2, covariates=5)
    carried = carry(source.saved_tensors(), target, head="new")
    assert torch.equal(source.body.stem.weight, target.body.stem.weight)
    assert carried.new == ["head.bias", "head.weight"]


def test_a_pretrained_head_accepts_covariates_with_another_mean():
    target = covariates.fit_encoding(TRAIN.replace("40", "41"), KINDS, "liver")
    same_covariates(fit_train(domain="lung"), target)


def test_a_pretrained_head_needs_the_same_covariates():
    source = fit_train(domain="lung")
    message = r"finetune.head: got 'pretrained'.* age, note, sex, but the target has none"
    with pytest.raises(InputError, match=message):
        same_covariates(source, Encoding())
    other_categories = covariates.fit_encoding(TRAIN.replace("m", "x"), KINDS, "liver")
    with pytest.raises(InputError, match="with the same categories, or head: auto"):
        same_covariates(source, other_categories)


@pytest.fixture
def saved_model(tmp_path) -> torch.nn.Module:
    """A network with covariates that is saved in tmp_path."""
    torch.manual_seed(0)
    encoding = fit_train()
    architecture = {"name": "resnet", **SHAPE, "covariates": encoding.width}
    network = build_network(**architecture, seed=0).eval()
    torch.nn.init.normal_(network.head.weight)
    card = {
        "architecture": architecture,
        "classes": ["benign", "malignant"],
        "covariates": list(encoding.columns),
    }
    saved.save_model(tmp_path, [network], card)
    return network


def test_a_saved_model_predicts_with_its_covariates(saved_model, tmp_path):
    images = torch.rand(3, 1, 16, 16)
    known = torch.from_numpy(fit_train().encode(TRAIN))
    logits = saved_model(images, known)
    expected = logits.softmax(1).detach().numpy()

    loaded = saved.load_model(tmp_path)

    with_another_column = loaded.predict(images, TRAIN.assign(other="x"))
    without_values = loaded.predict(images, withheld(TRAIN))
    assert np.allclose(with_another_column, expected, atol=1e-6)
    assert not np.allclose(without_values, expected, atol=1e-3)


def test_a_saved_model_refuses_missing_covariates(saved_model, tmp_path):
    loaded = saved.load_model(tmp_path)
    images = torch.rand(3, 1, 16, 16)
    message = "covariates: got none, expected age, note, sex of 3 images"
    with pytest.raises(InputError, match=message):
        loaded.predict(images)
    with pytest.raises(InputError, match="covariates: got 2 rows, expected"):
        loaded.predict(images, TRAIN[:2])


@pytest.fixture
def cohort(tmp_path) -> Path:
    """A manifest of three lesions, with an age, a sex and a note."""
    rng = np.random.default_rng(0)
    voxels = rng.random((12, 12, 12), np.float32)
    image = nibabel.Nifti1Image(voxels, np.eye(4))
    nibabel.save(image, tmp_path / "ann.nii.gz")
    rows = [
        ("benign", 4, "71", "f", "Jane Doe, cirrhosis"),
        ("malignant", 5, "", "m", ""),
        ("benign", 6, "1e1", "", "ok"),
    ]
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient", "image", "label", "x", "y", "z", "age", "sex", "note"))
        for label, x, *known in rows:
            table.writerow(("ann", "ann.nii.gz", label, x, 6, 6, *known))
    return tmp_path


def read_liver(path: Path, kinds: dict[str, str]) -> Domain:
    grid = Grid((8, 8, 8), (1.0,) * 3, (0.0, 1.0))
    return read_domain(path, "liver", ["benign", "malignant"], grid, covariates=kinds)


def test_a_domain_keeps_covariates_but_no_text(cohort, tmp_path):
    kinds = {"sex": "category", "note": "text", "age": "number"}
    folder = tmp_path / "liver"
    write_domain(folder, read_liver(cohort, kinds))
    domain = Domain.read(folder)
    notes = ["Jane Doe, cirrhosis", "", "ok"]
    assert list(domain.kinds.items()) == sorted(KINDS.items())
    assert domain.covariates["age"].tolist() == ["71", "", "1e1"]
    assert domain.covariates["sex"].tolist() == ["f", "m", ""]
    assert domain.covariates["note"].tolist() == bag_of_words(notes)
    for path in folder.iterdir():
        assert b"Jane" not in path.read_bytes()


def test_a_domain_without_a_column_of_its_covariates_is_refused(cohort, tmp_path):
    folder = tmp_path / "liver"
    write_domain(folder, read_liver(cohort, KINDS))
    (folder / "covariates.csv").write_text("sample,age,note\n")
    reseal(folder / "domain.json")
    message = "covariates.csv: cannot be read, expected the columns sample, age, note, sex"
    with pytest.raises(InputError, match=message):
        Domain.read(folder)


def test_a_domain_without_covariates_has_no_file_of_them(cohort, tmp_path):
    folder = tmp_path / "liver"
    write_domain(folder, read_liver(cohort, {}))
    # groups.csv contains sex and age, which only evaluation uses.
    files = {"images.npy", "index.csv", "domain.json", "groups.csv", "scans.csv"}
    assert {path.name for path in folder.iterdir()} == files
    assert "covariates" not in (folder / "domain.json").read_text()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("71", "old", r"manifest.csv:2: age is 'old', expected a number, or nothing"),
        ("71", "inf", r"manifest.csv:2: age is 'inf', expected a number"),
        (",age", ",years", "has no column age, expected the covariates of the parameters"),
    ],
)
def test_an_invalid_column_of_a_manifest_is_refused(cohort, before, after, message):
    manifest = cohort / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(before, after))
    with pytest.raises(InputError, match=message):
        read_liver(cohort, KINDS)


def test_a_category_with_too_many_values_is_refused(cohort, monkeypatch):
    monkeypatch.setattr(columns, "MAX_CATEGORIES", 1)
    message = "the category sex has 2 different values, expected at most 1"
    with pytest.raises(InputError, match=message):
        read_liver(cohort, KINDS)


def test_arrays_with_covariates_are_refused(tmp_path):
    data = np.random.default_rng(0).random((4, 8, 8, 8))
    labels = np.array([0, 1, 0, 1])
    np.save(tmp_path / "data.npy", data)
    np.save(tmp_path / "labels.npy", labels)
    message = r"domains.liver.covariates: got age, note, sex, expected \{\} or log_size, as"
    with pytest.raises(InputError, match=message):
        read_liver(tmp_path, KINDS)


def test_an_unknown_value_is_not_a_category_of_that_name():
    columns = [{"name": "sex", "kind": "category", "categories": ["None", "f", "nan"]}]
    cells = pd.Series(["nan", float("nan"), None, "f", ""], dtype=object, name="sex")
    encoded = Encoding(columns).encode(pd.DataFrame({"sex": cells}))
    unknown = [0, 0, 0, 1]
    assert encoded.tolist() == [[0, 0, 1, 0], unknown, unknown, [0, 1, 0, 0], unknown]


@pytest.mark.parametrize("cell", ["-1:2", f"{WORD_BUCKETS}:1", "3:0", "3:-1", "3", "a:b", "1:2:3"])
def test_a_cell_that_is_no_bag_of_words_is_refused(cell):
    encoding = Encoding([{"name": "note", "kind": "text"}])
    with pytest.raises(InputError, match=f"covariates: note is '{cell}', expected what"):
        encoding.encode(pd.DataFrame({"note": [cell]}))
