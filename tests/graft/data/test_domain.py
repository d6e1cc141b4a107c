import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common import files, verified
from graft.common.files import InputError
from graft.data.arrays import load_array
from graft.data.domain import COLUMNS, Domain, fill_folder, write_domain
from tests.seals import flip_bit, reseal

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


def test_images_that_lie_in_the_folder_already_are_not_written_again(tmp_path, domain):
    (tmp_path / "disk").mkdir()
    folder = tmp_path / "link"  # such as data/processed on another disk
    folder.symlink_to(tmp_path / "disk")
    np.save(folder / "images.npy", domain.images)
    mapped = load_array(folder / "images.npy")
    fill_folder(folder, replace(domain, images=mapped))
    assert np.array_equal(Domain.read(folder).images, domain.images)


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
    reseal(folder / "domain.json")
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
    for file in ("images.npy", "index.csv"):
        assert (with_masks / file).read_bytes() == (without / file).read_bytes()


def test_masks_of_another_shape_are_refused(tmp_path, domain, masks):
    folder = tmp_path / "lung"
    write_domain(folder, replace(domain, masks=masks))
    np.save(folder / "masks.npy", masks[:2])
    reseal(folder / "domain.json")
    message = r"masks.npy: is uint8 \(2, 4, 4, 4\), expected uint8 \(3, 4, 4, 4\)"
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


def set_value(value: float) -> Callable[[Path], object]:
    """A function that sets one value of the second image."""

    def change_value(folder: Path) -> None:
        images = np.load(folder / "images.npy")
        images[1, 0, 2, 2, 2] = value
        np.save(folder / "images.npy", images)

    return change_value


def set_size(value: str) -> Callable[[Path], object]:
    return change("0.30000000000000004", value)


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
        (set_size("nan"), "index.csv: the size of manifest.csv:3 is nan, expected a finite number"),
        (set_size("-3"), "index.csv: the size of manifest.csv:3 is -3, expected a finite number"),
        (
            set_value(np.nan),
            "the image of manifest.csv:3 has 1 values such as nan, expected finite",
        ),
        (
            set_value(np.inf),
            "the image of manifest.csv:3 has 1 values such as inf, expected finite",
        ),
        (
            set_value(1.001),
            "the image of manifest.csv:3 has 1 values such as 1.00098, expected finite",
        ),
        (
            set_value(-1e-7),
            "the image of manifest.csv:3 has 1 values such as -1.19209e-07, expected",
        ),
    ],
)
def test_files_that_contradict_each_other_are_refused(tmp_path, domain, damage, message):
    write_domain(tmp_path / "lung", domain)
    damage(tmp_path / "lung")
    reseal(tmp_path / "lung/domain.json")
    with pytest.raises(InputError, match=message):
        Domain.read(tmp_path / "lung")


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.25, 1.25])
def test_an_image_outside_0_to_1_is_not_written(tmp_path, domain, value):
    images = domain.images.copy()
    images[1, 0, 0, 0, 0] = value
    message = f"domains.lung: the image of manifest.csv:3 has 1 values such as {value:g}, expected"
    with pytest.raises(InputError, match=message):
        write_domain(tmp_path / "lung", replace(domain, images=images))
    assert not (tmp_path / "lung").exists()


def test_negative_zero_is_in_the_range_of_an_image(tmp_path, domain):
    images = np.zeros((3, 1, 4, 4, 4))
    images[0, 0, 0, 0, 0] = -0.0
    write_domain(tmp_path / "lung", replace(domain, images=images))
    assert not Domain.read(tmp_path / "lung").images.any()


@pytest.fixture
def complete(tmp_path, domain, groups, masks) -> Path:
    """A domain with every file that a domain can have."""
    covariates = pd.DataFrame({"age": ["71", "", "1e1"]})
    full = replace(
        domain, groups=groups, masks=masks, covariates=covariates, kinds={"age": "number"}
    )
    folder = tmp_path / "complete"
    write_domain(folder, full)
    return folder


def test_a_flipped_bit_anywhere_in_a_domain_is_noticed(complete):
    random = np.random.default_rng(1)
    paths = sorted(complete.iterdir())
    assert len(paths) == 6
    for path in paths:
        content = path.read_bytes()
        before = Domain.read(complete)
        for position in random.integers(len(content), size=40):
            flip_bit(path, position, int(random.integers(8)))
            if path.name == "domain.json" and is_same_document(content, path.read_bytes()):
                continue  # of white space
            with pytest.raises(InputError, match=f"^{complete}"):
                Domain.read(complete)
            path.write_bytes(content)
        assert np.array_equal(Domain.read(complete).images, before.images)


@pytest.fixture
def records(tmp_path, monkeypatch) -> Path:
    """The folder of records of verified files, which have no time to settle here."""
    monkeypatch.setattr(verified, "LARGE_BYTES", 1)
    monkeypatch.setattr(verified, "SETTLED_S", 0.0)
    return tmp_path / "records"


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """The names of the files that are hashed."""
    names = []
    original = files.sha256

    def hash_and_note(path: Path) -> str:
        names.append(path.name)
        return original(path)

    monkeypatch.setattr(files, "sha256", hash_and_note)
    return names


def test_a_verified_file_is_not_read_again_until_it_changes(complete, records, hashed):
    for _ in range(2):
        assert np.array_equal(Domain.read(complete, records).images, Domain.read(complete).images)
    assert hashed.count("images.npy") == 3  # never without records, and once with them
    hashed.clear()
    Domain.read(complete, records)
    assert hashed == []
    content = (complete / "masks.npy").read_bytes()
    (complete / "masks.npy").write_bytes(content)
    Domain.read(complete, records)
    assert hashed == ["masks.npy"]


def test_a_verified_file_that_was_tampered_with_is_noticed(complete, records):
    Domain.read(complete, records)
    path = complete / "images.npy"
    before = path.stat()
    time.sleep(0.02)  # more than the resolution of the times of a file
    flip_bit(path, 500)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for _ in range(2):
        with pytest.raises(InputError, match="images.npy: was changed after it was written"):
            Domain.read(complete, records)


def test_values_that_are_not_allowed_are_never_recorded(complete, records):
    set_value(np.nan)(complete)
    reseal(complete / "domain.json")
    for _ in range(2):
        with pytest.raises(InputError, match="has 1 values such as nan"):
            Domain.read(complete, records)


def is_same_document(one: bytes, other: bytes) -> bool:
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


@pytest.mark.parametrize(
    "name", ["images.npy", "index.csv", "domain.json", "masks.npy", "groups.csv", "covariates.csv"]
)
def test_a_missing_file_of_a_domain_is_noticed(complete, name):
    (complete / name).unlink()
    with pytest.raises(InputError, match=f"{name}: is missing"):
        Domain.read(complete)


def test_a_domain_without_a_seal_is_refused(complete):
    path = complete / "domain.json"
    path.write_text(path.read_text().replace('"sha256"', '"sha255"'))
    with pytest.raises(InputError, match="domain.json: has no key 'sha256', expected the SHA-256"):
        Domain.read(complete)


def test_spacings_of_scans_are_read_again(tmp_path, domain):
    spacings = np.array([[0.7, 0.7, 1.25], [1.0, 0.9, 5.0], [0.1 + 0.2, 1.0, 2.0]])
    write_domain(tmp_path / "lung", replace(domain, spacings=spacings))
    assert np.array_equal(Domain.read(tmp_path / "lung").spacings, spacings)


@pytest.mark.parametrize("value", ["0.0", "", "nan", "wide"])
def test_a_spacing_that_is_no_length_is_refused(tmp_path, domain, value):
    folder = tmp_path / "lung"
    write_domain(folder, replace(domain, spacings=np.full((3, 3), 2.5)))
    table = folder / "scans.csv"
    table.write_text(table.read_text().replace("2.5", value, 1))
    reseal(folder / "domain.json")
    with pytest.raises(InputError, match="scans.csv: has a spacing that is no number above 0"):
        Domain.read(folder)
