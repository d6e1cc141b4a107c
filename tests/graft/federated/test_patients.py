from collections.abc import Callable

import pytest

from graft.common.files import InputError
from graft.federated.messages import DESCRIBE, Description, Message, read_answer
from graft.federated.patients import Tokens, check_keys, choose_left_out, key_of, tokens_of
from graft.keys.pseudonyms import PUBLISHED_KEY, fingerprint
from graft.keys.settings import PseudonymKey
from tests.federation import read_site, write_federation

KEY = "a secret key of the hospitals"
SECRET = PseudonymKey(key_variable="GRAFT_PATIENT_KEY", key_file=None)


def test_a_patient_has_one_token_at_all_sites_of_a_session():
    assert Tokens(KEY, "one").of("p1") == Tokens(KEY, "one").of("p1")
    assert len(Tokens(KEY, "one").of("p1")) == 32


def test_tokens_of_other_sessions_keys_and_patients_differ():
    tokens = {
        Tokens(KEY, "one").of("p1"),
        Tokens(KEY, "other").of("p1"),
        Tokens("another key of theirs", "one").of("p1"),
        Tokens(KEY, "one").of("p2"),
    }
    assert len(tokens) == 4


def test_the_order_of_tokens_is_not_that_of_patients():
    tokens = Tokens(KEY, "one")
    patients = [f"p{i}" for i in range(50)]
    found = tokens_of(tokens, patients, ["tested"])
    assert list(found) == sorted(found)
    assert list(found) != [tokens.of(one) for one in patients] + [tokens.of("tested")]
    assert sum(found.values()) == 50


def test_the_first_site_learns_from_a_patient_unless_one_tests_with_them():
    sites = {
        "c": {"1": True, "2": True, "3": False, "4": True},
        "a": {"1": True, "5": True},
        "b": {"1": True, "2": True, "3": True},
    }
    assert choose_left_out(sites) == {"a": [], "b": ["1", "3"], "c": ["1", "2"]}


@pytest.fixture
def describe(tmp_path, monkeypatch) -> Callable[[str, str], Description]:
    """The description of a site, whose patient key is given."""
    monkeypatch.chdir(tmp_path)
    write_federation()
    question = Message(DESCRIBE, {"session": "one"})

    def made(name: str, key: str) -> Description:
        answer = read_site(name, key=key).answer(question)
        found = read_answer(Description, answer, name)
        return found.model_copy(update={"key": fingerprint(key)})

    return made


def test_two_keys_are_told_apart_and_not_given_away(describe):
    check_keys({"a": describe("a", KEY), "b": describe("b", KEY)})
    with pytest.raises(
        InputError, match=r"site b: patient_key is \w{8}, expected \w{8} as at"
    ) as e:
        check_keys({"a": describe("a", KEY), "b": describe("b", KEY + "!")})
    assert KEY not in str(e.value)


def test_a_fingerprint_without_its_key_is_no_proof(describe):
    stranger = describe("b", KEY + "!").model_copy(update={"key": fingerprint(KEY)})
    with pytest.raises(InputError, match="site b: patient_key"):
        check_keys({"a": describe("a", KEY), "b": stranger})


def test_the_key_is_that_of_the_domain(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_federation()
    site = read_site("a")
    assert site.key == PUBLISHED_KEY  # synthetic patients
    monkeypatch.setenv("GRAFT_PATIENT_KEY", KEY)
    site.domain.__dict__["patient_key"] = fingerprint(KEY)
    assert key_of(site.domain, SECRET) == KEY
    monkeypatch.setenv("GRAFT_PATIENT_KEY", KEY + "!")
    with pytest.raises(InputError, match=f"domain a: patient_key is {fingerprint(KEY)}, expected"):
        key_of(site.domain, SECRET)
