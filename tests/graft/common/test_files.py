import errno
import os

import pytest

from graft.common.files import InputError, read_json, whole_file, whole_folder, write_json


def test_a_folder_is_replaced_completely(tmp_path):
    out = tmp_path / "out"
    for text in ("first", "second"):
        with whole_folder(out) as partial:
            (partial / text).write_text(text)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "second"]


def test_a_failure_leaves_the_earlier_folder_and_nothing_beside_it(tmp_path):
    out = tmp_path / "out"
    with whole_folder(out) as partial:
        (partial / "kept").touch()
    with pytest.raises(RuntimeError), whole_folder(out) as partial:
        (partial / "torn").touch()
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept", "out"]


def test_leftovers_of_a_killed_run_are_deleted(tmp_path):
    leftover = tmp_path / ".out.partial"
    leftover.mkdir()
    (leftover / "stale").touch()
    with whole_folder(tmp_path / "out"):
        pass
    assert list((tmp_path / "out").iterdir()) == []
    assert not leftover.exists()


def test_a_file_is_replaced_completely_or_not_at_all(tmp_path):
    path = tmp_path / "deep/file.txt"
    with whole_file(path) as partial:
        partial.write_text("whole")
    with pytest.raises(RuntimeError), whole_file(path) as partial:
        partial.write_text("torn")
        raise RuntimeError
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_json_that_is_cut_short_names_the_file(tmp_path):
    path = tmp_path / "card.json"
    write_json(path, {"a": [1, 2]})
    assert read_json(path) == {"a": [1, 2]}
    path.write_text('{"a": [1,')
    with pytest.raises(InputError, match=r"card\.json"):
        read_json(path)


def test_nan_is_refused_because_json_has_none(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "card.json", {"a": float("nan")})


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_the_error_of_a_full_disk_gets_the_name_of_the_output(tmp_path, whole):
    path = tmp_path / "results"
    full_disk = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # it has no file name
    with pytest.raises(OSError, match="No space left") as caught, whole(path):
        raise full_disk
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []
