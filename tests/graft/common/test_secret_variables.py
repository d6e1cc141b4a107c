"""Secrets in environment variables are neither shown nor accepted in parameters."""

import pytest

from graft.common.files import InputError
from graft.common.secret_variables import redact, refuse_secrets


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("GRAFT_PATIENT_KEY", "sesame-open")
    monkeypatch.setenv("SOME_PASSWORD", "short")
    monkeypatch.setenv("HOME_FOLDER", "not-a-secret")


def test_a_secret_is_shown_as_the_name_of_its_variable():
    assert redact("got 'sesame-open', short not-a-secret") == (
        "got '$GRAFT_PATIENT_KEY', short not-a-secret"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": {"b": ["x", "sesame-open"]}}, "p: a.b: contains the secret value of GRAFT_PATIENT"),
        ({"a": {"sesame-open": 1}}, "p: a.[$]GRAFT_PATIENT_KEY: contains the secret value of"),
        ({"a": {"b": "x${c}"}}, "p: a.b: got 'x[$]{c}', expected a value without"),
        ("${c}", "p: got '[$]{c}', expected a value without"),
    ],
)
def test_parameters_with_a_secret_are_refused_without_quoting_it(content, message):
    with pytest.raises(InputError, match=message) as refused:
        refuse_secrets(content, "p")
    assert "sesame-open" not in str(refused.value)


def test_other_parameters_are_allowed():
    refuse_secrets({"a": ["$x", "{y}", 1, None, "short"], 1: "not-a-secret"}, "p")
