"""The tables that name the files of duplicates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graft.data.domain import COLUMNS, Domain
from graft.duplicates.fingerprints import DuplicatePair
from graft.duplicates.listing import read_file_names, write_file_names, write_pairs

FILES = ["benign/benign (41).png", 'benign/a, "b".png', "malignant/Jörg.png"]


@pytest.fixture
def domain() -> Domain:
    index = pd.DataFrame(dict.fromkeys(COLUMNS, ""), index=range(3))
    index["origin"] = ["benign#1", "benign#2", "malignant#1"]
    index["hash"] = ["a", "b", "c"]
    index["label"] = ["benign", "benign", "malignant"]
    return Domain("liver", np.zeros((3, 1, 4, 4)), index, ["benign", "malignant"], {}, files=FILES)


def test_files_are_read_again_for_the_same_images(tmp_path, domain):
    path = tmp_path / "files/liver.csv"
    write_file_names(path, domain)
    assert read_file_names(path, replace(domain, files=None)) == FILES


def test_without_the_table_of_these_images_origins_are_named(tmp_path, domain):
    path = tmp_path / "liver.csv"
    origins = ["benign#1", "benign#2", "malignant#1"]
    assert read_file_names(path, domain) == origins
    write_file_names(path, domain)
    other = replace(domain, index=domain.index.assign(hash=["a", "b", "x"]))
    assert read_file_names(path, other) == origins
    path.write_bytes(b"\xff\x00")
    assert read_file_names(path, domain) == origins
    write_file_names(path, replace(domain, files=None))
    assert not path.exists()


def test_a_row_per_pair_has_files_labels_and_parts(tmp_path, domain):
    path = tmp_path / "duplicates/liver.csv"
    parts = pd.Series(["train", "", "test"])
    pairs = [DuplicatePair(0, 2, "identical"), DuplicatePair(1, 2, "correlation 0.999, mirrored")]
    write_pairs(path, domain, parts, pairs, FILES)
    table = pd.read_csv(path)
    assert table.columns.tolist() == [
        *("first", "label_first", "part_first"),
        *("second", "label_second", "part_second"),
        "evidence",
    ]
    assert table["first"].tolist() == FILES[:2]
    assert table["second"].tolist() == [FILES[2]] * 2
    assert table["label_second"].tolist() == ["malignant"] * 2
    assert table["part_first"].tolist() == ["train", "unused"]
    assert table["evidence"].tolist() == [pair.evidence for pair in pairs]
    write_pairs(path, domain, parts, [], FILES)
    assert not path.exists()
