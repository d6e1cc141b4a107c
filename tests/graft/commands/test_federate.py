from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graft.commands.main import app
from graft.common.files import InputError
from graft.networks.card import read_card
from tests.federation import write_federation

FOLDERS = [f"data/processed/{name}" for name in "abc"]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_simulate_writes_a_model(capsys):
    write_federation()
    options = ["--rounds", "2", "--local-epochs", "2", "--mu", "0.1", "--to", "models/ours"]
    found = CliRunner().invoke(app, ["federate", "simulate", *FOLDERS, *options])
    assert found.exit_code == 0, found.output
    assert "federated: wrote models/ours" in found.output
    card = read_card(Path("models/ours"))["federated"]
    assert (card["rounds"], card["local_epochs"], card["mu"]) == (2, 2, 0.1)


def test_a_domain_that_is_missing_is_named():
    write_federation()
    found = CliRunner().invoke(app, ["federate", "simulate", "data/processed/d"])
    assert isinstance(found.exception, InputError)
    assert "data/processed/d/domain.json" in str(found.exception)


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        (["--rounds", "2000", "--local-epochs", "2000"], {}, "got 2000 × 2000 epochs, expected at"),
        ([], {"privacy": {"epsilon": 3.0}}, "privacy.epsilon: got 3, expected none: federated"),
        ([], {"network": {"width": 9}}, "params.yaml: network.width: got 9"),
    ],
)
def test_values_that_cannot_be_used_are_one_line(options, changes, message):
    write_federation(**changes)
    found = CliRunner().invoke(app, ["federate", "simulate", *FOLDERS, *options])
    assert isinstance(found.exception, InputError)
    assert message in str(found.exception)
    assert not Path("models").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["simulate"],
        ["simulate", *FOLDERS, "--rounds", "0"],
        ["simulate", *FOLDERS, "--mu", "-1"],
        ["simulate", *FOLDERS, "--mu", "1e9"],
        ["server"],
        ["server", "--sites", "3", "--ca", "ca.pem"],
        ["site", FOLDERS[0]],
        ["join"],
    ],
)
def test_wrong_usage_has_the_exit_code_2(words):
    assert CliRunner().invoke(app, ["federate", *words]).exit_code == 2


@pytest.mark.skipif(find_spec("flwr") is not None, reason="Flower is installed")
@pytest.mark.parametrize("words", [["server", "--sites", "3"], ["site", FOLDERS[0], "--name", "a"]])
def test_without_flower_one_line_says_what_to_install(words):
    found = CliRunner().invoke(app, ["federate", *words])
    assert isinstance(found.exception, InputError)
    assert str(found.exception) == (
        "the library flwr is missing, expected Flower: pip install 'graft[federated]'"
    )
