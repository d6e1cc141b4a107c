"""The stage that divides patients, and what it says about validation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graft.data.domain import Domain, write_domain
from graft.data.split import read_folds, read_split
from stages import paths, split
from tests.commands import run_module
from tests.small_target import edit_parameters, write_project, write_target

SPLIT = {"external": None, "test": 0.5, "labelled": 1.0, "folds": 4, "duplicates": "refuse"}


@pytest.fixture
def divide(tmp_path, monkeypatch, capsys):
    """A function that divides a target of 48 patients, and returns its index and the output."""
    monkeypatch.chdir(tmp_path)
    write_project()

    def run(given: str = "", **rules: object) -> tuple[pd.DataFrame, str]:
        write_target(given)
        liver = {"split": {**SPLIT, **rules}}
        edit_parameters(domains={"liver": liver})
        split.main("liver")
        return Domain.read(paths.processed("liver")).index, capsys.readouterr().out

    return run


def test_without_validation_all_labelled_patients_train_in_folds(divide):
    index, printed = divide(validation=0)
    path = paths.split("liver")
    assert {part: len(rows) for part, rows in read_split(path, index).items()} == {
        "train": 24,
        "test": 24,
    }
    assert pd.Series(read_folds(path, index)).value_counts().to_dict() == dict.fromkeys(
        (1, 2, 3, 4), 6
    )
    assert path.read_text().startswith("sample,part,fold\n")
    assert "liver: none of 24 lesions of 24 patients validate" in printed
    assert "outside of each of 4 folds" in printed


def test_copies_of_two_patients_are_in_one_fold(divide):
    """Before the copy was made, they were in two."""
    index, _ = divide(validation=0)
    train = read_split(paths.split("liver"), index)["train"]
    folds = read_folds(paths.split("liver"), index)
    first = train[0]
    second = next(
        row
        for row, fold in zip(train, folds, strict=True)
        if fold != folds[0] and row % 2 == first % 2
    )
    domain = Domain.read(paths.processed("liver"))
    images = np.array(domain.images)
    images[second] = images[first]
    index.loc[second, "hash"] = index.loc[first, "hash"]
    write_domain(paths.processed("liver"), replace(domain, images=images, index=index))
    split.main("liver")
    together = dict(zip(train, read_folds(paths.split("liver"), index), strict=True))
    assert together[first] == together[second]


def test_few_labelled_patients_of_whom_some_validate_are_advised_not_to(divide):
    _, printed = divide(validation=0.2)
    advice = "only 24 patients have labels to train and to validate on; "
    assert f"{advice}domains.liver.split.validation: 0 lets all of them train" in printed


def test_a_given_validation_part_needs_no_advice(divide):
    index, printed = divide("given", validation=0.2)
    assert len(read_split(paths.split("liver"), index)["validation"]) == 8
    assert "validat" not in printed.split("validation", 1)[1]  # only the row of the table


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"validation": 1.0}, "domains.liver.split.validation: got 1.0"),
        ({"validation": -0.1}, "domains.liver.split.validation: got -0.1"),
        ({"validation": 0, "folds": 1}, "domains.liver.split.folds: got 1"),
        ({"validation": 0, "folds": 25}, "split.folds: got 25, but 24 patients have labels"),
        ({"validation": 0, "labelled": 0.01, "folds": 2}, "has 1 patient to train on"),
    ],
)
def test_impossible_folds_end_in_one_line(divide, rules, message):
    divide(validation=0)
    liver = {"split": {**SPLIT, **rules}}
    edit_parameters(domains={"liver": liver})
    before = paths.split("liver").read_bytes()
    result = run_module("stages.split", "liver")
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert paths.split("liver").read_bytes() == before
