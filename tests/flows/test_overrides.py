"""Overrides of params.yaml are data: no key and no value is evaluated."""

import pytest
from ruamel.yaml import YAML

from flows.overrides import check_keys, set_parameters
from graft.common.files import InputError

PARAMETERS = """\
# A comment.
lambda: 0.01             # of the penalty

finetune:
  lr: 0.002              # initial
  penalty: l2
classes:
- benign
covariates: {}
"""
SECRET = "sesame-open"


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_TEST_KEY", SECRET)
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    return tmp_path


def test_only_the_line_of_a_parameter_changes(root):
    set_parameters(root, {"lambda": 0.1, "finetune.penalty": "l1"})
    expected = PARAMETERS.replace("0.01 ", "0.1  ").replace("l2", "l1")
    assert (root / "params.yaml").read_text() == expected


@pytest.mark.parametrize(
    "value", ["choice(1,2)", "a=b", 'it\'s "quoted" \\', "null", "1e5", [1, None], {"age": "text"}]
)
def test_a_value_arrives_as_it_is(root, value):
    set_parameters(root, {"covariates": value})
    assert YAML(typ="safe").load(root / "params.yaml")["covariates"] == value


@pytest.mark.parametrize(
    "key",
    ["~lambda", "++lambda", "+more", "lamda", "finetune.lr.more", "classes.0", "", ".", "@lr"],
)
def test_an_unknown_key_is_refused_and_the_file_stays(root, key):
    with pytest.raises(InputError, match="params.yaml: .*: unknown key"):
        set_parameters(root, {"lambda": 0.1, key: 1})
    assert (root / "params.yaml").read_text() == PARAMETERS
    with pytest.raises(InputError, match="unknown key"):
        check_keys(root, ["lambda", key])


@pytest.mark.parametrize(
    "overrides",
    [
        {"lambda": "${oc.env:GRAFT_TEST_KEY}"},
        {"lambda": "${env:GRAFT_TEST_KEY}"},
        {"lambda": "a ${oc.decode:${oc.env:GRAFT_TEST_KEY}} b"},
        {"lambda": "choice(${oc.env:GRAFT_TEST_KEY},1)"},
        {"lambda": [0, {"a": ["${oc.env:GRAFT_TEST_KEY}"]}]},
        {"lambda": {"${oc.env:GRAFT_TEST_KEY}": 1}},
        {"++lambda": "${oc.env:GRAFT_TEST_KEY}"},
        {"${oc.env:GRAFT_TEST_KEY}": 1},
        {"lambda": SECRET},
        {"lambda": f"x{SECRET}y"},
        {SECRET: 1},
    ],
)
def test_a_secret_reaches_neither_the_file_nor_the_message(root, overrides):
    with pytest.raises(InputError, match=r"^overrides: \S+: (got|contains)") as refused:
        set_parameters(root, overrides)
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (root / "params.yaml").read_text() == PARAMETERS


@pytest.mark.parametrize("text", ["lambda: [", "- lambda", "lambda: ${x}", None])
def test_a_file_that_cannot_be_used_is_one_line_and_stays(root, text):
    path = root / "params.yaml"
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match="params.yaml: ") as refused:
        set_parameters(root, {"lambda": 1})
    assert "\n" not in str(refused.value)
    assert not path.exists() if text is None else path.read_text() == text
