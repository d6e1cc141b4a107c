"""Each kind of leak within a domain raises one line that names it."""

from dataclasses import replace

import numpy as np
import pytest

from graft.common.files import InputError
from graft.data.folds import assign_folds
from graft.data.settings import SplitRules
from graft.duplicates.components import join_patients
from graft.duplicates.pairs import find_duplicates
from graft.duplicates.resolve import resolve_duplicates
from graft.leakage.across import check_across
from graft.leakage.rows import WITHIN, checks_document
from graft.leakage.split_domain import SplitDomain
from graft.leakage.within import check_within
from tests.graft.leakage.examples import (
    COPIES,
    HALF_LABELLED,
    NO_EXTERNAL_SITE,
    NO_VALIDATION,
    PREPROCESSING,
    RULES,
    SEED,
    make,
    with_column,
    with_image,
    with_part,
)

KEEP_FIRST = RULES.model_copy(update={"duplicates": "keep-first"})


def error_of(domain: SplitDomain, rules: SplitRules = RULES) -> str:
    """Return the message of the leak, which is one line that names the domain."""
    with pytest.raises(InputError) as caught:
        check_within(domain, rules, SEED)
    message = str(caught.value)
    assert "\n" not in message
    assert "domains.liver" in message
    assert "expected" in message
    return message


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("rules", [RULES, HALF_LABELLED, NO_EXTERNAL_SITE, NO_VALIDATION])
def test_a_domain_without_leaks_has_a_row_for_each_check(rules, given):
    target = make("liver", rules, given)
    rows = check_within(target, rules, SEED) + check_across(make("lung"), target)
    expected = [*WITHIN, "patients across", "images across"]
    assert [row["name"] for row in rows] == expected
    assert checks_document(rows) == {"checks": rows}


def test_rows_have_what_was_checked_and_found():
    rows = {}
    for row in check_within(make("liver", HALF_LABELLED), HALF_LABELLED, SEED):
        rows[row["name"]] = (row["looked_at"], row["found"])
    # 10 of 40 patients are at site-b. Of the 15 others of each class, round(4.5) = 4 are tested,
    # 3 validate and 8 train. Of these, 2 and 4 keep their label.
    assert rows["patients"] == ("30 patients in 4 parts", "none in two parts")
    assert rows["drawn parts"] == (
        "40 lesions",
        "as the rules and the seed draw them; 10 labels unused, in no part",
    )
    assert rows["external site"] == (
        "10 lesions of site-b",
        "all of site-b in the part external, none elsewhere",
    )


def first_row(domain: SplitDomain, part: str) -> int:
    return domain.rows(part)[0]


def line(row: int) -> str:
    """The line of a row in the manifest, which starts at 2."""
    return f"manifest.csv:{row + 2}"


def test_a_patient_in_two_parts_is_refused():
    domain = make("liver")
    train_row = first_row(domain, "train")
    test_row = first_row(domain, "test")
    message = error_of(with_column(domain, test_row, patient=f"liver-{train_row}"))
    expected = (
        f"the patient liver-{train_row} is in test ({line(test_row)}) "
        f"and in train ({line(train_row)})"
    )
    assert expected in message


@pytest.mark.parametrize("evidence", COPIES)
@pytest.mark.parametrize("part", ["validation", "test", "external"])
def test_a_copy_of_a_training_image_in_another_part_is_refused(evidence, part):
    domain = make("liver")
    train_row = first_row(domain, "train")
    other_row = first_row(domain, part)
    copy = COPIES[evidence](domain.domain.images[train_row])
    message = error_of(with_image(domain, other_row, copy))
    assert f"{line(train_row)} (train)" in message
    assert f"{line(other_row)} ({part})" in message
    assert evidence in message


def test_a_sample_of_the_given_test_part_in_train_is_refused():
    domain = make("liver", given=True)
    row = first_row(domain, "test")
    message = error_of(with_part(domain, row, "train"))
    expected = (
        f"1 lesion left the part that the data gives: {line(row)} (train), given test; expected"
    )
    assert expected in message


def test_a_sample_of_the_given_test_part_that_is_left_out_is_refused():
    domain = make("liver", given=True)
    left_out = with_part(domain, first_row(domain, "test"), "")
    assert "(unused), given test" in error_of(left_out)


@pytest.mark.parametrize(("part", "name"), [("train", "train"), ("", "unused")])
def test_a_patient_of_the_external_site_in_another_part_is_refused(part, name):
    domain = make("liver")
    row = first_row(domain, "external")
    message = error_of(with_part(domain, row, part))
    expected = f"wrong side of the external site 'site-b': {line(row)} ({name}) of site-b"
    assert expected in message


def test_a_patient_of_another_site_in_external_is_refused():
    domain = make("liver")
    changed = with_part(domain, first_row(domain, "train"), "external")
    assert "(external) of site-a" in error_of(changed)


def test_a_part_without_a_class_is_refused():
    domain = make("liver")
    for row in domain.rows("test"):
        if row % 2 == 0:  # benign
            domain = with_part(domain, row, "train")
    assert "the part test has none of the 20 patients with the class 'benign'" in error_of(domain)


def test_an_unused_label_in_train_is_refused():
    domain = make("liver", HALF_LABELLED)
    row = np.flatnonzero(domain.parts == "")[0]
    message = error_of(with_part(domain, row, "train"), HALF_LABELLED)
    assert f"{line(row)} (train), drawn unused; expected" in message


def test_a_patient_who_moved_to_another_fold_is_refused():
    target = make("liver", NO_VALIDATION)
    rows = {row["name"]: row["found"] for row in check_within(target, NO_VALIDATION, SEED)}
    assert rows["drawn parts"].endswith("0 labels unused, in no part; train in 5 folds")
    row = target.rows("train")[0]
    folds = target.folds.copy()
    folds[row] = folds[row] % 5 + 1
    message = error_of(replace(target, folds=folds), NO_VALIDATION)
    assert f"1 lesion not in the fold that the rules and the seed draw: manifest.csv:{row + 2}" in (
        message
    )


def with_copies_of_two_patients(domain: SplitDomain) -> tuple[SplitDomain, int, int]:
    """A copy of a training image in another fold, with the same label, and both rows."""
    train = domain.rows("train")
    first = train[0]
    folds = domain.folds
    second = next(row for row in train if row % 2 == first % 2 and folds[row] != folds[first])
    return with_image(domain, second, domain.domain.images[first]), first, second


def test_copies_of_one_picture_in_two_folds_are_refused():
    domain, first, second = with_copies_of_two_patients(make("liver", NO_VALIDATION))
    assert "not in the fold that the rules and the seed draw" in error_of(domain, NO_VALIDATION)
    data = domain.domain
    pairs = find_duplicates(data, domain.parts)
    joined = join_patients(data.index, domain.parts == "train", pairs)
    drawn = assign_folds("liver", joined, domain.parts, data.classes, NO_VALIDATION.folds, SEED)
    assert drawn[first] == drawn[second]
    check_within(replace(domain, folds=drawn), NO_VALIDATION, SEED)


def test_a_cross_validation_does_not_divide_patients_who_share_a_picture():
    domain = make("liver")
    first, second = [row for row in domain.rows("train") if row % 2][:2]
    domain = with_image(domain, second, domain.domain.images[first])
    check_within(domain, RULES, SEED)
    with pytest.raises(InputError) as caught:
        check_within(domain, RULES, SEED, cross_validated=True)
    patients = sorted([f"liver-{first}", f"liver-{second}"])
    assert f"both have: {patients[1]} with {patients[0]}; expected" in str(caught.value)
    check_within(make("liver"), RULES, SEED, cross_validated=True)


def test_a_case_that_is_left_out_of_the_drawn_test_part_is_refused():
    domain = make("liver")
    row = first_row(domain, "test")
    message = error_of(with_part(domain, row, ""))
    expected = (
        "1 lesion not in the part that the rules and the seed draw: "
        f"{line(row)} (unused), drawn test"
    )
    assert expected in message


@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        ({"intensity": "dataset"}, "has the intensity 'dataset' and"),
        ({"window": [0.4]}, "has the intensity 'window' and"),
        (
            {"mean": 0.3, "std": 0.1},
            "domain.json has mean, std, which may have been fitted over samples",
        ),
    ],
)
def test_a_normalisation_that_may_have_been_fitted_over_samples_is_refused(preprocessing, message):
    domain = make("liver")
    changed = replace(domain.domain, preprocessing=PREPROCESSING | preprocessing)
    assert message in error_of(replace(domain, domain=changed))


def keep_first(domain: SplitDomain) -> SplitDomain:
    """The domain with the split that leaves duplicates out."""
    pairs = find_duplicates(domain.domain, domain.parts)
    return replace(domain, parts=resolve_duplicates(domain.domain, domain.parts, pairs, KEEP_FIRST))


@pytest.mark.parametrize("given", [False, True])
def test_duplicates_that_are_left_out_are_counted_in_a_row(given):
    domain = make("liver", given=given)
    first = first_row(domain, "train")
    for part in ("test", "external"):  # a copy in each, with the label of the first
        row = next(row for row in domain.rows(part) if row % 2 == first % 2)
        domain = with_image(domain, row, domain.domain.images[first])
    rows = {row["name"]: row for row in check_within(keep_first(domain), KEEP_FIRST, SEED)}
    assert rows["images"]["looked_at"] == "38 images"
    assert rows["images"]["found"].endswith("near copy; 2 duplicates left out (keep-first)")
    assert rows["drawn parts"]["found"].startswith("as the rules and the seed draw them; 0 labels")


def test_an_image_that_is_left_out_but_no_duplicate_is_refused():
    domain = make("liver")
    row = first_row(domain, "test")
    message = error_of(with_part(domain, row, ""), KEEP_FIRST)
    assert f"{line(row)} (unused), drawn test" in message


def test_a_duplicate_that_should_be_left_out_is_refused():
    domain = make("liver")
    train_row, other_row, _ = (row for row in domain.rows("train")[:6] if row % 2 == 0)
    copied = with_image(domain, other_row, domain.domain.images[train_row])
    assert f"{line(other_row)} (train), drawn unused" in error_of(copied, KEEP_FIRST)


def test_lesions_of_train_may_become_the_validation_part_if_none_was_given():
    rows = {}
    target = make("liver", NO_EXTERNAL_SITE, given=True, validation=False)
    for row in check_within(target, NO_EXTERNAL_SITE, SEED):
        rows[row["name"]] = row["found"]
    # 24 patients are in train, and round(2.4) = 2 of the 12 of each class validate
    assert rows["given split"] == (
        "each in the part that it came with, except 4 of train that became the validation part"
    )
