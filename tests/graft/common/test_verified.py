import os
import time
from pathlib import Path

import pytest

from graft.common import verified
from graft.common.files import sha256
from graft.common.verified import VerifiedFiles


@pytest.fixture(autouse=True)
def every_file_is_large(monkeypatch):
    monkeypatch.setattr(verified, "LARGE_BYTES", 4)
    monkeypatch.setattr(verified, "SETTLED_S", 0.02)  # more than the resolution of times here


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "file").write_text("content")
    return tmp_path / "file"


@pytest.fixture
def records(tmp_path, path) -> Path:
    """The folder of a record of the file."""
    files = VerifiedFiles(tmp_path / "records")
    assert not files.has(path, sha256(path))
    files.add(path, sha256(path))
    assert len(list((tmp_path / "records").iterdir())) == 1
    return tmp_path / "records"


def test_a_recorded_file_counts_as_verified(path, records):
    assert VerifiedFiles(records).has(path, sha256(path))
    assert not VerifiedFiles(records).has(path, "another SHA-256")
    assert not VerifiedFiles().has(path, sha256(path))


def rewrite(path: Path) -> None:
    path.write_text("CONTENT")


def rewrite_and_set_times(path: Path) -> None:
    before = path.stat()
    path.write_text("CONTENT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap(path: Path) -> None:
    before = path.stat()
    path.with_name("other").write_text("CONTENT")
    os.utime(path.with_name("other"), ns=(before.st_atime_ns, before.st_mtime_ns))
    path.with_name("other").replace(path)


@pytest.mark.parametrize("change", [rewrite, rewrite_and_set_times, swap, Path.unlink])
def test_a_changed_file_does_not_count(path, records, change):
    known = sha256(path)
    change(path)
    assert not VerifiedFiles(records).has(path, known)


def test_a_change_between_the_question_and_the_record_is_not_recorded(path, records):
    files = VerifiedFiles(records)
    known = sha256(path)
    rewrite(path)
    assert not files.has(path, known)
    rewrite(path)
    files.add(path, known)
    assert not VerifiedFiles(records).has(path, known)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"state": [1]}', b"\x00" * 300])
def test_a_damaged_record_does_not_count_and_is_replaced(path, records, content):
    (record,) = records.iterdir()
    record.write_bytes(content)
    files = VerifiedFiles(records)
    assert not files.has(path, sha256(path))
    files.add(path, sha256(path))
    assert VerifiedFiles(records).has(path, sha256(path))


def test_the_record_of_another_file_does_not_count(path, records, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes())
    files = VerifiedFiles(records)
    assert not files.has(other, sha256(other))
    (record,) = records.iterdir()
    files.add(other, sha256(other))
    (of_other,) = set(records.iterdir()) - {record}
    of_other.write_bytes(record.read_bytes())
    assert not VerifiedFiles(records).has(other, sha256(other))


def test_a_small_file_is_always_read(path, tmp_path, monkeypatch):
    monkeypatch.setattr(verified, "LARGE_BYTES", 8)
    files = VerifiedFiles(tmp_path / "records")
    assert not files.has(path, sha256(path))
    files.add(path, sha256(path))
    assert not (tmp_path / "records").exists()


def test_a_file_written_just_now_is_left_to_settle(path, tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(verified, "SETTLED_S", 1000.0)
    monkeypatch.setattr(time, "sleep", waited.append)
    VerifiedFiles(tmp_path / "records").has(path, "")
    assert waited[0] == pytest.approx(1000, abs=100)
