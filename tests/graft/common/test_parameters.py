from pathlib import Path

import pytest
from pydantic import Field, model_validator

from graft.common.files import InputError
from graft.common.parameters import Section, Weight, read_parameters, read_yaml

FILE = """\
source: lung
lambda: 0.1
domains:
  lung:
    path: data/lung
    split: {test: 0.2, seed: 7}
  st.mary: {path: data/mary, split: {test: 0.3}}
training: {device: cpu, batch: 8}
"""


class Split(Section):
    test: float


class Domain(Section):
    path: str
    split: Split


class Device(Section):
    device: str


class Reader(Section):
    lambda_: Weight = Field(alias="lambda")
    device: str = Field(alias="training.device")
    training: Device
    mine: Split = Field(alias="domains.${key}.split")
    split_of_source: Split = Field(alias="domains.${source}.split")
    domains: dict[str, Domain]


class Limited(Section):
    training: Device

    @model_validator(mode="after")
    def _refuse_cpu(self) -> "Limited":
        if self.training.device == "cpu":
            raise ValueError("training.device: got 'cpu', expected another one")
        return self


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "parameters.yaml").write_text(FILE)
    return tmp_path / "parameters.yaml"


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_field_is_read_from_the_place_that_its_alias_names(path):
    found = read_parameters(Reader, path, key="st.mary")
    assert found.lambda_ == 0.1
    assert found.device == "cpu"
    assert found.mine.test == 0.3  # the argument replaces ${key}, also if it has a dot
    assert found.split_of_source.test == 0.2  # the value of `source` replaces ${source}


def test_keys_that_the_class_does_not_declare_are_ignored(path):
    found = read_parameters(Reader, path, key="lung")
    assert found.training.model_dump() == {"device": "cpu"}
    assert found.domains["lung"].model_dump() == {"path": "data/lung", "split": {"test": 0.2}}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("lambda: 0.1", "lambda: -1", "lambda: got -1; .*greater than or equal to 0"),
        ("lambda: 0.1", "", "lambda: 'lambda' is missing, found source, domains, training"),
        ("device: cpu", "device: 3", "training.device: got 3; .*valid string"),
        ("split: {test: 0.2, seed: 7}", "split: {}", r"domains.lung.split.test: missing"),
        ("test: 0.2", "test: most", r"domains.lung.split.test: got 'most'"),
        ("source: lung", "source: liver", "domains.liver.split: 'liver' is missing, found lung"),
        ("training: {device: cpu, batch: 8}", "training: 3", "training.device: .*found no keys"),
    ],
)
def test_an_error_names_the_file_the_key_and_the_value(path, before, after, message):
    edit(path, before, after)
    with pytest.raises(InputError, match=message) as caught:
        read_parameters(Reader, path, key="lung")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_the_message_of_a_validator_is_shown_as_it_is(path):
    with pytest.raises(InputError) as caught:
        read_parameters(Limited, path)
    assert str(caught.value) == f"{path}: training.device: got 'cpu', expected another one"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "contains a list, expected keys and values"),
        ("a: [1\n", "is not YAML"),
        ("a: 1\na: 2\n", "duplicate key"),
    ],
)
def test_a_file_without_keys_and_values_is_refused(path, text, message):
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_yaml(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="is missing"):
        read_yaml(tmp_path / "parameters.yaml")
