from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.selfsupervised.without_labels import (
    describe_seen,
    read_images_without_labels,
    rows_without_labels,
    write_images_without_labels,
)
from tests.seals import reseal

IMAGES = np.random.default_rng(0).random((4, 1, 2, 2)).astype(np.float16)


def domain(known: bool = True, label: str = "b") -> Domain:
    index = pd.DataFrame(
        {"patient": ["p", "p", "q", "r"], "label": ["a", "b", "a", label], "hash": list("wxyz")}
    )
    return Domain("lung", IMAGES, index, ["a", "b"], {}, patients_known=known)


def test_rows_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "list.json"
    write_images_without_labels(path, [(domain(), np.array([3, 0]))])
    entries = read_images_without_labels(path)
    assert list(entries) == ["lung"]
    assert rows_without_labels(path, entries["lung"], domain()).tolist() == [0, 3]


def test_a_list_without_images_always_has_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_images_without_labels(tmp_path / folder / "list.json", [])
    assert read_images_without_labels(tmp_path / "a/list.json") == {}
    written = [(tmp_path / folder / "list.json").read_bytes() for folder in ("a", "b")]
    assert written[0] == written[1]


def test_a_list_about_other_lesions_is_refused(tmp_path):
    path = tmp_path / "list.json"
    write_images_without_labels(path, [(domain(), np.array([3]))])
    entry = read_images_without_labels(path)["lung"]
    with pytest.raises(InputError, match="about other lesions of lung than there are now"):
        rows_without_labels(path, entry, domain(label="a"))


def test_a_list_that_was_changed_or_is_another_document_is_refused(tmp_path):
    path = tmp_path / "list.json"
    write_images_without_labels(path, [(domain(), np.array([3]))])
    text = path.read_text()
    Path(path).write_text(text.replace("3", "2"))
    with pytest.raises(InputError, match="changed after it was written"):
        read_images_without_labels(path)
    path.write_text(text)
    reseal(path, lambda content: content.pop("domains"))
    with pytest.raises(InputError, match="has no key 'domains'"):
        read_images_without_labels(path)


def test_a_card_counts_and_hashes_exactly_the_seen_images():
    rows = np.array([0, 1, 3])
    found = describe_seen(domain(), rows)
    assert (found["images"], found["patients"]) == (3, 2)
    assert describe_seen(domain(known=False), rows)["patients"] is None
    assert found["images_sha256"] != describe_seen(domain(), rows[:2])["images_sha256"]
    assert found["images_sha256"] == describe_seen(domain(), rows.copy())["images_sha256"]
