import sys

import pytest

from graft import console


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("preprocess@lung", "lung"),
        ("data/phantom/dvc.yaml:phantom@lung", "lung"),
        ("preprocess@a;touch x", "a;touch x"),
    ],
)
def test_a_command_of_dvc_gets_the_key_of_its_stage(monkeypatch, address, key):
    found = []

    def main(name: str) -> None:
        found.append(name)

    monkeypatch.setenv("DVC_STAGE", address)
    monkeypatch.setattr(sys, "argv", ["stage", address])
    with pytest.raises(SystemExit):
        console.run(main)
    assert found == [key]


def test_another_word_stays_as_it_is(monkeypatch):
    found = []

    def main(name: str) -> None:
        found.append(name)

    monkeypatch.setenv("DVC_STAGE", "preprocess@lung")
    monkeypatch.setattr(sys, "argv", ["stage", "scan@home.nii"])
    with pytest.raises(SystemExit):
        console.run(main)
    assert found == ["scan@home.nii"]
