"""Duplicates are refused, or left out without a change to the split of the other images."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.data.settings import SplitRules
from graft.data.split import assign_parts
from graft.duplicates.fingerprints import fingerprint_images
from graft.duplicates.pairs import find_duplicates
from graft.duplicates.resolve import resolve_duplicates

CLASSES = ["benign", "malignant"]
PATIENTS = 24
MIRRORED = slice(None, None, -1)


def rules(duplicates: str, **changes: object) -> SplitRules:
    settings = {"external": None, "labelled": 1.0, "validation": 0.2, "folds": 5, "test": 0.3}
    return SplitRules.model_validate(settings | {"duplicates": duplicates} | changes)


def make_domain(given: bool = False) -> Domain:
    """Planes of 24 patients, every other one malignant; a given split gives each part a third."""
    random = np.random.default_rng(0)
    images = random.random((PATIENTS, 1, 16, 16)).astype(np.float16)
    rows = np.arange(PATIENTS)
    parts = np.array(["train", "validation", "test"])[rows // 2 % 3]
    index = pd.DataFrame(
        {
            "sample": rows,
            "patient": [f"p{row}" for row in rows],
            "label": np.array(CLASSES)[rows % 2],
            "site": "",
            "split": parts if given else "",
            "origin": [f"#{row}" for row in rows],
            "size": 1.0,
            "hash": fingerprint_images(images),
        }
    )
    return Domain("liver", images, index, CLASSES, {})


def with_copies(domain: Domain, copies: dict[int, int], mirrored: bool = False) -> Domain:
    """The domain in which images are copies of others, by their rows."""
    images = domain.images.copy()
    for copy, original in copies.items():
        images[copy] = images[original][..., MIRRORED] if mirrored else images[original]
    index = domain.index.assign(hash=fingerprint_images(images))
    return replace(domain, images=images, index=index)


def draw(domain: Domain, chosen: SplitRules) -> pd.Series:
    return assign_parts("liver", domain.index, CLASSES, chosen, 42)


def resolve(domain: Domain, chosen: SplitRules) -> pd.Series:
    drawn = draw(domain, chosen)
    return resolve_duplicates(domain, drawn, find_duplicates(domain, drawn), chosen)


def left_out(domain: Domain, chosen: SplitRules) -> list[int]:
    """The rows that are left out, after a check that every other row keeps its part."""
    drawn = draw(domain, chosen)
    resolved = resolve(domain, chosen)
    assert ((resolved == drawn) | (resolved == "")).all()
    return np.flatnonzero(resolved != drawn).tolist()


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_first_of_each_group_is_kept_or_none(mirrored):
    domain = with_copies(make_domain(), {6: 2, 10: 2, 9: 5}, mirrored)
    assert left_out(domain, rules("keep-first")) == [6, 9, 10]
    assert left_out(domain, rules("drop")) == [2, 5, 6, 9, 10]
    with pytest.raises(InputError, match="same picture is in two parts of the split"):
        resolve(domain, rules("refuse"))


def test_the_split_of_the_others_is_that_of_the_domain_without_copies():
    clean = resolve(make_domain(), rules("refuse"))
    resolved = resolve(with_copies(make_domain(), {6: 2, 9: 5}), rules("keep-first"))
    others = ~resolved.index.isin([6, 9])
    assert resolved[others].equals(clean[others])


def test_a_chain_of_near_copies_is_one_group():
    domain = make_domain()
    images = domain.images.copy()
    step = np.random.default_rng(1).random((1, 16, 16)) - 0.5
    for number, row in enumerate((4, 8, 12)):  # neighbours are similar, the ends are less so
        images[row] = np.clip(images[0] + 0.03 * (number + 1) * step, 0, 1)
    domain = replace(
        domain, images=images, index=domain.index.assign(hash=fingerprint_images(images))
    )
    assert left_out(domain, rules("keep-first")) == [4, 8, 12]


def test_of_a_given_split_the_test_copy_is_kept():
    # Rows 0 and 1 train, 2 and 3 validate, 4 and 5 test, and so on.
    domain = with_copies(make_domain(given=True), {4: 0, 2: 6, 9: 3})
    assert left_out(domain, rules("keep-first")) == [0, 6, 9]
    assert left_out(domain, rules("drop")) == [0, 2, 3, 4, 6, 9]


def test_the_copy_of_the_external_site_is_kept():
    domain = with_copies(make_domain(), {20: 2})
    at_site_b = domain.index["sample"] >= 20
    domain.index["site"] = np.where(at_site_b, "site-b", "site-a")
    assert left_out(domain, rules("keep-first", external="site-b")) == [2]


def test_fewer_labels_leave_out_the_same_images():
    domain = with_copies(make_domain(), {6: 2, 9: 5, 13: 1})
    fewer = resolve(domain, rules("keep-first", labelled=0.5))
    more = resolve(domain, rules("keep-first"))
    used = fewer != ""
    assert used.any()
    assert fewer[used].equals(more[used])
    assert not used[[6, 9, 13]].any()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("duplicates", ["refuse", "keep-first"])
def test_a_picture_with_two_labels_is_refused(duplicates, mirrored):
    domain = with_copies(make_domain(), {7: 2}, mirrored)
    message = (
        r"the same picture has two labels, in 1 pair of images: #2 \(benign\) and #7 "
        r"\(malignant\), .*; expected one label: correct it, or set "
        "domains.liver.split.duplicates to drop"
    )
    with pytest.raises(InputError, match=message):
        resolve(domain, rules(duplicates))
    assert left_out(domain, rules("drop")) == [2, 7]


def test_two_labels_are_refused_within_a_part_and_for_one_patient():
    domain = with_copies(make_domain(given=True), {1: 0})  # both train
    domain.index.loc[1, "patient"] = "p0"
    with pytest.raises(InputError, match="same picture has two labels"):
        resolve(domain, rules("refuse"))


def test_similar_images_of_one_patient_may_be_two_lesions():
    domain = with_copies(make_domain(given=True), {1: 0}, mirrored=True)
    domain.index.loc[1, "patient"] = "p0"
    for duplicates in ("refuse", "keep-first", "drop"):
        assert left_out(domain, rules(duplicates)) == []


def test_a_part_that_loses_a_class_is_refused():
    domain = make_domain(given=True)
    test_rows = np.flatnonzero(domain.index["split"] == "test")
    benign = [row for row in test_rows if row % 2 == 0]
    domain = with_copies(domain, dict.fromkeys(benign, 0))
    assert left_out(domain, rules("keep-first")) == [0, *benign[1:]]
    with pytest.raises(InputError, match="the part test has none of the 12 patients .* 'benign'"):
        resolve(domain, rules("drop"))
