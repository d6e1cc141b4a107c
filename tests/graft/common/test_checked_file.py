import os

import pytest

from graft.common.checked_file import read_checked, write_checked

PAYLOAD = bytes(range(200))


@pytest.fixture
def path(tmp_path):
    """A file that was written completely."""
    path = tmp_path / "stage/ab.checkpoint"
    write_checked(path, PAYLOAD)
    return path


def test_the_payload_is_read_as_it_was_written(path, capsys):
    assert read_checked(path, bytes, print) == PAYLOAD
    assert list(path.parent.iterdir()) == [path]
    assert capsys.readouterr().out == ""


def test_no_file_is_no_damage(tmp_path, capsys):
    assert read_checked(tmp_path / "missing", bytes, print) is None
    assert capsys.readouterr().out == ""


def assert_discarded(path, capsys, load=bytes):
    assert read_checked(path, load, print) is None
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{path}: is damaged (")
    assert line.endswith(") and was deleted")
    assert not os.path.lexists(path)
    assert read_checked(path, load, print) is None
    assert capsys.readouterr().out == ""


def test_every_flipped_bit_is_noticed(path, capsys):
    whole = path.read_bytes()
    for place in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert_discarded(path, capsys)


@pytest.mark.parametrize("left", [0, 1, 31, 32, 33, 40, -1])
def test_a_file_that_was_cut_short_is_discarded(path, capsys, left):
    path.write_bytes(path.read_bytes()[:left])
    assert_discarded(path, capsys)


def test_a_longer_file_is_discarded(path, capsys):
    path.write_bytes(path.read_bytes() + b"\0")
    assert_discarded(path, capsys)


def test_the_whole_file_of_another_training_is_discarded(path, capsys):
    other = path.rename(path.with_name("cd.checkpoint"))
    assert_discarded(other, capsys)


def make_folder(path):
    path.mkdir()
    (path / "something").touch()


def link_to_nothing(path):
    path.symlink_to("nothing")


def link_to_a_device(path):
    path.symlink_to("/dev/zero")


def claim_a_terabyte(path):
    path.touch()
    os.truncate(path, 2**40)


@pytest.mark.parametrize(
    "make", [make_folder, os.mkfifo, link_to_nothing, link_to_a_device, claim_a_terabyte]
)
def test_whatever_else_has_the_name_is_discarded(path, capsys, make):
    path.unlink()
    make(path)
    assert_discarded(path, capsys)


def test_a_payload_in_an_older_format_is_discarded(path, capsys):
    def load(payload):
        raise KeyError("history")

    assert_discarded(path, capsys, load)
