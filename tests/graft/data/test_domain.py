from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.domain import COLUMNS, Domain, write_domain


@pytest.fixture
def domain() -> Domain:
    """Three lesions, with texts that a reader of tables might take for numbers or for nothing."""
    index = pd.DataFrame(
        [
            (0, "0012e00000000000", "benign", "NA", "", "manifest.csv:2", 4.25, "0" * 16),
            (
                1,
                "0012e00000000000",
                "malignant",
                "1.0",
                "train",
                "manifest.csv:3",
                0.1 + 0.2,
                "1e" * 8,
            ),
            (2, "nan", "benign", "", "train", "manifest.csv:4", 7.0, ""),
        ],
        columns=COLUMNS,
    )
    images = np.random.default_rng(0).random((3, 1, 4, 4, 4)).astype(np.float16)
    about = {
        "patch": [4, 4, 4],
        "spacing": [1.0, 1.0, 1.0],
        "window": [0.0, 1.0],
        "size": "diameter in mm",
    }
    return Domain("lung", images, index, ["benign", "malignant"], about)


def test_a_written_domain_is_read_again(tmp_path, domain):
    write_domain(tmp_path / "lung", domain)
    again = Domain.read(tmp_path / "lung")
    assert isinstance(again.images, np.memmap) and np.array_equal(again.images, domain.images)
    assert again.index.to_dict("records") == domain.index.to_dict("records")
    assert (again.name, again.classes, again.preprocessing) == (
        domain.name,
        domain.classes,
        domain.preprocessing,
    )


def test_it_is_written_in_the_same_bytes_each_time(tmp_path, domain):
    for name in "ab":
        write_domain(tmp_path / name, domain)
    for file in ("images.npy", "index.csv", "domain.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_groups_are_written_and_read_again_and_are_no_part_of_the_preprocessing(tmp_path, domain):
    kept = pd.DataFrame({"scanner": ["", "NA", "1.0"], "age": ["60 to 69", "", "90 and above"]})
    write_domain(tmp_path / "lung", replace(domain, groups=kept))
    assert (tmp_path / "lung" / "groups.csv").read_text().splitlines()[:2] == [
        "sample,scanner,age",
        "0,,60 to 69",
    ]
    again = Domain.read(tmp_path / "lung")
    assert (
        again.groups.to_dict("records") == kept.to_dict("records")
        and again.preprocessing == domain.preprocessing
    )
    (tmp_path / "lung" / "groups.csv").write_text("sample,scanner\n0,a\n1,b\n2,c\n")
    with pytest.raises(
        InputError, match="groups.csv: cannot be read, expected the columns sample, scanner, age"
    ):
        Domain.read(tmp_path / "lung")


def test_masks_are_written_if_there_are_any_and_change_no_other_file(tmp_path, domain):
    write_domain(tmp_path / "without", domain)
    assert (
        Domain.read(tmp_path / "without").masks is None
        and not (tmp_path / "without" / "masks.npy").exists()
    )
    masks = np.zeros((3, 4, 4, 4), np.uint8)
    masks[1, 1:3, 1:3, 2] = 1
    write_domain(tmp_path / "with", replace(domain, masks=masks))
    again = Domain.read(tmp_path / "with").masks
    assert isinstance(again, np.memmap) and again.dtype == np.uint8 and np.array_equal(again, masks)
    for file in ("images.npy", "index.csv", "domain.json"):
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes()
    np.save(tmp_path / "with" / "masks.npy", masks[:2])
    with pytest.raises(
        InputError, match=r"masks.npy: has the shape \(2, 4, 4, 4\), expected \(3, 4, 4, 4\)"
    ):
        Domain.read(tmp_path / "with")


def shorten_images(folder: Path) -> None:
    np.save(folder / "images.npy", np.zeros((2, 1, 4, 4, 4), np.float16))


def cut_images(folder: Path) -> None:
    (folder / "images.npy").write_bytes((folder / "images.npy").read_bytes()[:-1])


def change(old: str, new: str, file: str = "index.csv") -> object:
    return lambda folder: (folder / file).write_text((folder / file).read_text().replace(old, new))


@pytest.mark.parametrize(
    "spoil, message",
    (
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
    ),
)
def test_files_that_contradict_each_other_are_refused(tmp_path, domain, spoil, message):
    write_domain(tmp_path / "lung", domain)
    spoil(tmp_path / "lung")
    with pytest.raises(InputError, match=message):
        Domain.read(tmp_path / "lung")
