"""Each kind of leak within a domain raises one line that names it."""

from dataclasses import replace

import numpy as np
import pytest

from graft.common.files import InputError
from graft.data.settings import SplitRules
from graft.leakage.across import check_across
from graft.leakage.rows import checks_document
from graft.leakage.split_domain import SplitDomain
from graft.leakage.within import check_within
from tests.graft.leakage.examples import (
    ABOUT,
    COPIES,
    HALF_LABELLED,
    NO_EXTERNAL_SITE,
    RULES,
    SEED,
    make,
    with_column,
    with_image,
    with_part,
)


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
@pytest.mark.parametrize("rules", [RULES, HALF_LABELLED, NO_EXTERNAL_SITE])
def test_a_domain_without_leaks_has_a_row_for_each_check(rules, given):
    target = make("liver", rules, given)
    rows = check_within(target, rules, SEED) + check_across(make("lung"), target)
    assert [row["name"] for row in rows] == [
        "patients",
        "images",
        "given split",
        "external site",
        "classes",
        "drawn parts",
        "normalisation",
        "patients across",
        "images across",
    ]
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


def test_a_patient_in_two_parts():
    domain = make("liver")
    learns, tests = domain.rows("train")[0], domain.rows("test")[0]
    told = error_of(with_column(domain, tests, patient=f"liver-{learns}"))
    assert (
        f"the patient liver-{learns} is in test (manifest.csv:{tests + 2}) "
        f"and in train (manifest.csv:{learns + 2})" in told
    )


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("part", ["validation", "test", "external"])
def test_an_image_twice(how, part):
    domain = make("liver")
    learns, judges = domain.rows("train")[0], domain.rows(part)[0]
    told = error_of(with_image(domain, judges, COPIES[how](domain.domain.images[learns])))
    assert (
        f"manifest.csv:{learns + 2} (train)" in told
        and f"manifest.csv:{judges + 2} ({part})" in told
        and how in told
    )


def test_an_official_test_sample_in_train():
    domain = make("liver", given=True)
    row = domain.rows("test")[0]
    told = error_of(with_part(domain, row, "train"))
    assert (
        "1 lesion left the part that the data gives: "
        f"manifest.csv:{row + 2} (train), given test; expected" in told
    )


def test_an_official_test_sample_left_out():
    domain = make("liver", given=True)
    assert "(unused), given test" in error_of(with_part(domain, domain.rows("test")[0], ""))


@pytest.mark.parametrize("part", ["train", ""])
def test_a_patient_of_the_external_site_elsewhere(part):
    domain = make("liver")
    row = domain.rows("external")[0]
    told = error_of(with_part(domain, row, part))
    assert (
        "wrong side of the external site 'site-b': "
        f"manifest.csv:{row + 2} ({part or 'unused'}) of site-b" in told
    )


def test_a_patient_of_another_site_in_external():
    domain = make("liver")
    assert "(external) of site-a" in error_of(
        with_part(domain, domain.rows("train")[0], "external")
    )


def test_a_part_without_a_class():
    domain = make("liver")
    healthy = [row for row in domain.rows("test") if row % 2 == 0]
    for row in healthy:
        domain = with_part(domain, row, "train")
    assert "the part test has none of the 20 patients with the class 'benign'" in error_of(domain)


def test_a_label_that_is_not_to_be_used():
    domain = make("liver", HALF_LABELLED)
    row = np.flatnonzero(domain.parts == "")[0]
    assert f"manifest.csv:{row + 2} (train), drawn unused; expected" in error_of(
        with_part(domain, row, "train"), HALF_LABELLED
    )


def test_a_hard_case_left_out_of_the_test():
    domain = make("liver")
    row = domain.rows("test")[0]
    assert (
        "1 lesion not in the part that the rules and the seed draw: "
        f"manifest.csv:{row + 2} (unused), drawn test" in error_of(with_part(domain, row, ""))
    )


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"intensity": "dataset"}, "has the intensity 'dataset' and"),
        ({"window": [0.4]}, "has the intensity 'window' and"),
        (
            {"mean": 0.3, "std": 0.1},
            "domain.json has mean, std, which may have been fitted over samples",
        ),
    ],
)
def test_a_normalisation_that_was_fitted_over_samples(about, message):
    domain = make("liver")
    assert message in error_of(
        replace(domain, domain=replace(domain.domain, preprocessing=ABOUT | about))
    )
