"""Differences between parameters."""

import pytest

from graft.common.differences import Difference, differences


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}}, [("a.b", "1", "3")]),
        ({"a": {}}, {"a": {"b": 1}}, [("a.b", "no value", "1")]),
        ({"a": {"b": 1}}, {"a": None}, [("a", "{'b': 1}", "None")]),
        ({"a": [1, 2], "b": 0}, {"a": [2, 1]}, [("a", "[1, 2]", "[2, 1]"), ("b", "0", "no value")]),
    ],
)
def test_the_places_that_differ(first, second, expected):
    found = [(one.key, repr(one.first), repr(one.second)) for one in differences(first, second)]
    assert found == expected


def test_the_key_of_both_is_part_of_the_place():
    assert list(differences({"b": 1}, {"b": 2}, "a")) == [Difference("a.b", 1, 2)]
