"""Domains whose pseudonyms were made with one key, or with two."""

from dataclasses import replace

import pytest

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.leakage.pseudonyms import check_keys
from tests.graft.leakage.examples import make

LUNG = make("lung").domain
LIVER = make("liver").domain


def with_keys(source: str, target: str) -> list[Domain]:
    return [replace(LUNG, patient_key=source), replace(LIVER, patient_key=target)]


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        ("1a2b3c4d", "1a2b3c4d", ["private key 1a2b3c4d"] * 2),
        ("synthetic", "1a2b3c4d", ["published key, synthetic patients", "private key 1a2b3c4d"]),
        ("synthetic", "synthetic", ["published key, synthetic patients"] * 2),
        (
            "published",
            "published",
            ["published key: anyone with a list of names can find the patients"] * 2,
        ),
    ],
)
def test_one_key_for_all_people_passes_and_is_in_the_rows(source, target, found):
    rows = check_keys(with_keys(source, target))
    assert [row["found"] for row in rows] == found
    assert [row["domain"] for row in rows] == ["lung", "liver"]
    assert rows[0]["looked_at"] == "40 lesions of 40 patients"


@pytest.mark.parametrize(
    ("source", "target"),
    [("1a2b3c4d", "00000000"), ("published", "1a2b3c4d"), ("", "1a2b3c4d"), ("published", "")],
)
def test_two_keys_are_refused(source, target):
    with pytest.raises(InputError, match="lung and liver: their pseudonyms were made with two k"):
        check_keys(with_keys(source, target))


def test_a_candidate_with_another_key_is_refused():
    domains = [*with_keys("synthetic", "1a2b3c4d"), replace(LUNG, name="kidney", patient_key="9")]
    with pytest.raises(InputError, match="domains.liver and kidney"):
        check_keys(domains)
