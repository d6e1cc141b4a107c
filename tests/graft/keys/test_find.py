"""The key of the pseudonyms: where it is found, how it is made, and which keys are refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graft.common.files import InputError
from graft.keys.find import MAX_BYTES, find_key, private_file
from graft.keys.pseudonyms import PUBLISHED_KEY, fingerprint, pseudonym
from graft.keys.settings import PseudonymKey

ROOT = Path(__file__).parents[3]
KEY = "what do ya want for nothing"
OTHER_KEY = "0123456789abcdef0123456789abcdef"
PATIENTS = [f"P{number:03}" for number in range(30)]


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch) -> Path:
    """An empty folder for this user's configuration, and another one to work in."""
    folder = tmp_path / "configuration"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


def settings(file: Path | str | None = None) -> PseudonymKey:
    return PseudonymKey(key_variable="OUR_KEY", key_file=None if file is None else str(file))


def refusal(file: Path | str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        find_key(settings(file))
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)
    return str(caught.value)


def test_a_pseudonym_is_the_published_hmac():
    # RFC 4231, test case 2
    assert pseudonym("what do ya want for nothing?", "Jefe") == "5bdcc146bf60754e"


def test_without_a_key_a_private_one_is_made_once_and_its_place_is_printed(configuration, capsys):
    key = find_key(settings())
    file = configuration / "graft/patient.key"
    printed = capsys.readouterr().out
    assert f"a random one was made: {file}. " in printed
    assert key not in printed
    assert key != PUBLISHED_KEY
    assert file.read_text() == f"{key}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert find_key(settings()) == key
    assert capsys.readouterr().out == ""


def test_two_users_have_two_keys(configuration, monkeypatch):
    key = find_key(settings())
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{configuration}-of-another")
    assert find_key(settings()) != key


def test_processes_that_start_together_get_one_key(configuration):
    code = (
        "from graft.keys.find import find_key\n"
        "from graft.keys.settings import PseudonymKey\n"
        "input()\n"
        "print(find_key(PseudonymKey(key_variable='OUR_KEY', key_file=None)))\n"
    )
    processes = []
    for _ in range(4):
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    printed = [process.communicate()[0].splitlines() for process in processes]
    assert {lines[-1] for lines in printed} == {private_file().read_text().strip()}
    assert sum(len(lines) for lines in printed) == len(processes) + 1  # one of them made it


def test_a_relative_folder_of_configuration_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert private_file() == tmp_path / ".config/graft/patient.key"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_private_key_that_other_users_have_access_to_is_refused(mode):
    find_key(settings())
    private_file().chmod(mode)
    assert f"other users have access to it (mode {mode:o}), expected 600" in refusal()


def test_a_private_key_that_is_a_link_is_refused(tmp_path):
    find_key(settings())
    private_file().rename(tmp_path / "elsewhere")
    for target in (tmp_path / "elsewhere", private_file(), tmp_path / "nowhere"):
        private_file().symlink_to(target)
        assert "is a link or no file" in refusal()
        private_file().unlink()


def test_a_folder_that_cannot_be_written_to_is_refused_with_the_other_ways(configuration):
    configuration.write_text("a file in place of the folder")
    message = refusal()
    assert message.startswith(f"{private_file()}: the private key of the pseudonyms cannot be made")
    assert "or set OUR_KEY or privacy.key_file" in message


def test_a_private_key_in_the_working_folder_is_refused(monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(Path.cwd() / "home"))
    assert "lies in this folder" in refusal()
    assert not private_file().exists()


def test_an_unknown_home_is_refused(monkeypatch):
    assert "the home folder in ~nobody-of-that-name/key is not known" in refusal(
        "~nobody-of-that-name/key"
    )


def test_a_key_in_a_file_is_that_of_the_environment(monkeypatch, tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert find_key(settings(file)) == KEY
    monkeypatch.setenv("OUR_KEY", KEY)
    assert find_key(settings(file)) == KEY
    assert find_key(settings()) == KEY
    assert not private_file().exists()


def test_the_key_of_the_environment_overrides_that_of_the_file(monkeypatch, tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY)
    monkeypatch.setenv("OUR_KEY", OTHER_KEY)
    assert find_key(settings(file)) == OTHER_KEY


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b" \n", "is empty, expected a line with the key"),
        (b"\xff" * 20, "cannot be read (it is not UTF-8)"),
        (b"k" * (MAX_BYTES + 1), f"has more than {MAX_BYTES} bytes"),
        (b"abc", "has a key of 3 characters, which can be guessed, expected 16 or more"),
        (b"0123456789abcde\n", "has a key of 15 characters"),
        (b"abab" * 9, "has a key of only 2 different characters"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_without_a_key_or_with_a_weak_one_is_refused(tmp_path, content, message):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    assert refusal(file).startswith(f"privacy.key_file: {file}")
    assert message in refusal(file)


def test_a_pipe_in_place_of_a_key_is_refused(tmp_path):
    os.mkfifo(tmp_path / "key")
    assert "is no file" in refusal(tmp_path / "key")


def test_a_key_file_in_the_working_folder_is_refused(tmp_path):
    (Path.cwd() / "key").write_text(KEY)
    (tmp_path / "link").symlink_to(Path.cwd() / "key")
    for file in ("key", tmp_path / "link"):
        assert "lies in this folder, expected one outside" in refusal(file)


@pytest.mark.parametrize("key", ["abc", " ", "a" * 40, "Jefe" + " " * 20])
def test_a_weak_key_in_the_environment_is_refused_and_not_shown(monkeypatch, key):
    monkeypatch.setenv("OUR_KEY", key)
    message = refusal()
    assert message.startswith("OUR_KEY: has a key of ")
    assert "make one with: python3 -c 'import secrets; print(secrets.token_hex(32))'" in message
    assert key.strip() not in message.split(":")[1] or not key.strip()


def test_a_key_or_a_patient_that_is_not_unicode_has_a_pseudonym(monkeypatch):
    monkeypatch.setitem(os.environb, b"OUR_KEY", b"\xff" + KEY.encode())
    key = find_key(settings())
    assert len(pseudonym(os.fsdecode(b"\xe9"), key)) == 16
    assert len(fingerprint(key)) == 8


def test_a_fingerprint_tells_keys_apart():
    fingerprints = {fingerprint(key) for key in (KEY, OTHER_KEY, PUBLISHED_KEY)}
    assert len(fingerprints) == 3
    assert fingerprint(PUBLISHED_KEY) == "published"
    assert fingerprint(KEY) not in pseudonym("graft key", KEY)


def test_guessed_keys_do_not_recover_patients():
    """An attacker with a list of all names recovers all patients under the published key only."""

    def recovered(written: set[str], guesses: list[str]) -> int:
        found = set()
        for guess in guesses:
            found |= written & {pseudonym(name, guess) for name in PATIENTS}
        return len(found)

    guesses = ["", "abc", "graft", KEY, OTHER_KEY, PUBLISHED_KEY]
    assert recovered({pseudonym(name, PUBLISHED_KEY) for name in PATIENTS}, guesses) == 30
    key = find_key(settings())
    assert recovered({pseudonym(name, key) for name in PATIENTS}, guesses) == 0
