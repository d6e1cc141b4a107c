from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.domain import COLUMNS, Domain, write_domain

FILES = ("images.npy", "index.csv", "domain.json")


@pytest.fixture
def domain() -> Domain:
    """Three lesions, with texts that a reader of tables might take for numbers or for nothing."""
    patient = "0012e00000000000"
    hashes = ("0" * 16, "1e" * 8, "")
    rows = [
        (0, patient, "benign", "NA", "", "manifest.csv:2", 4.25, hashes[0]),
        (1, patient, "malignant", "1.0", "train", "manifest.csv:3", 0.1 + 0.2, hashes[1]),
        (2, "nan", "benign", "", "train", "manifest.csv:4", 7.0, hashes[2]),
    ]
    index = pd.DataFrame(rows, columns=COLUMNS)
    images = np.random.default_rng(0).random((3, 1, 4, 4, 4)).astype(np.float16)
    preprocessing = {
        "patch": [4, 4, 4],
        "spacing": [1.0, 1.0, 1.0],
        "window": [0.0, 1.0],
        "size": "diameter in mm",
    }
    return Domain("lung", images, index, ["benign", "malignant"], preprocessing)


def test_a_written_domain_is_read_without_loss(tmp_path, domain):
    write_domain(tmp_path / "lung", domain)
    again = Domain.read(tmp_path / "lung")
    assert isinstance(again.images, np.memmap)
    assert np.array_equal(again.images, domain.images)
    assert again.index.to_dict("records") == domain.index.to_dict("records")
    assert again.name == domain.name
    assert again.classes == domain.classes
    assert again.preprocessing == domain.preprocessing


def test_a_domain_is_written_in_the_same_bytes_each_time(tmp_path, domain):
    first = tmp_path / "first"
    second = tmp_path / "second"
    write_domain(first, domain)
    write_domain(second, domain)
    for file in FILES:
        assert (first / file).read_bytes() == (second / file).read_bytes()


@pytest.fixture
def groups() -> pd.DataFrame:
    scanners = ["", "NA", "1.0"]
    ages = ["60 to 69", "", "90 and above"]
    return pd.DataFrame({"scanner": scanners, "age": ages})


def test_groups_are_read_again_and_are_no_part_of_the_preprocessing(tmp_path, domain, groups):
    folder = tmp_path / "lung"
    write_domain(folder, replace(domain, groups=groups))
    lines = (folder / "groups.csv").read_text().splitlines()
    assert lines[:2] == ["sample,scanner,age", "0,,60 to 69"]

    again = Domain.read(folder)
    assert again.groups.to_dict("records") == groups.to_dict("records")
    assert again.preprocessing == domain.preprocessing


def test_groups_without_a_column_are_refused(tmp_path, domain, groups):
    folder = tmp_path / "lung"
    write_domain(folder, replace(domain, groups=groups))
    (folder / "groups.csv").write_text("sample,scanner\n0,a\n1,b\n2,c\n")
    message = "groups.csv: cannot be read, expected the columns sample, scanner, age"
    with pytest.raises(InputError, match=message):
        Domain.read(folder)


@pytest.fixture
def masks() -> np.ndarray:
    masks = np.zeros((3, 4, 4, 4), np.uint8)
    masks[1, 1:3, 1:3, 2] = 1
    return masks


def test_a_domain_without_masks_has_no_file_of_them(tmp_path, domain):
    write_domain(tmp_path / "lung", domain)
    assert Domain.read(tmp_path / "lung").masks is None
    assert not (tmp_path / "lung" / "masks.npy").exists()


def test_masks_are_read_again_and_change_no_other_file(tmp_path, domain, masks):
    without = tmp_path / "without"
    with_masks = tmp_path / "with"
    write_domain(without, domain)
    write_domain(with_masks, replace(domain, masks=masks))
    again = Domain.read(with_masks).masks
    assert isinstance(again, np.memmap)
    assert again.dtype == np.uint8
    assert np.array_equal(again, masks)
    for file in FILES:
        assert (with_masks / file).read_bytes() == (without / file).read_bytes()


def test_masks_of_another_shape_are_refused(tmp_path, domain, masks):
    folder = tmp_path / "lung"
    write_domain(folder, replace(domain, masks=masks))
    np.save(folder / "masks.npy", masks[:2])
    message = r"masks.npy: has the shape \(2, 4, 4, 4\), expected \(3, 4, 4, 4\)"
    with pytest.raises(InputError, match=message):
        Domain.read(folder)


def shorten_images(folder: Path) -> None:
    np.save(folder / "images.npy", np.zeros((2, 1, 4, 4, 4), np.float16))


def cut_images(folder: Path) -> None:
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes()[:-1])


def change(old: str, new: str, file: str = "index.csv") -> Callable[[Path], object]:
    """A function that replaces a text in a file of a domain."""

    def replace_text(folder: Path) -> None:
        text = (folder / file).read_text()
        (folder / file).write_text(text.replace(old, new))

    return replace_text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shorten_images, "images.npy has 2 rows and index.csv 3"),
        (cut_images, "images.npy: cannot be read"),
        (change("malignant", "bad"), "index.csv: has the label 'bad', expected one of"),
        (
            change("label", "class"),
            "index.csv: cannot be read, expected the columns sample, patient",
        ),
        (change("\n2,", "\n5,"), "`sample` does not number the rows, expected 0, 1, 2"),
        (change("classes", "labels", "domain.json"), "domain.json: has no key 'classes'"),
        (lambda folder: (folder / "index.csv").unlink(), "index.csv: cannot be read"),
    ],
)
def test_files_that_contradict_each_other_are_refused(tmp_path, domain, damage, message):
    write_domain(tmp_path / "lung", domain)
    damage(tmp_path / "lung")
    with pytest.raises(InputError, match=message):
        Domain.read(tmp_path / "lung")
