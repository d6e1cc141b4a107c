import errno
import multiprocessing
import os
import resource
import shutil
import signal
from pathlib import Path

import pytest

from graft.common.files import (
    InputError,
    check_files,
    check_regular_file,
    read_json,
    read_sealed,
    whole_file,
    whole_folder,
    write_json,
    write_sealed,
)
from tests.seals import flip_bit


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


@pytest.mark.parametrize("left", [".out.partial", ".out.ab.partial", ".out.ab.former"])
def test_leftovers_of_a_killed_run_are_deleted(tmp_path, left):
    leftover = tmp_path / left
    leftover.mkdir()
    (leftover / "stale").touch()
    with whole_folder(tmp_path / "out"):
        pass
    assert list((tmp_path / "out").iterdir()) == []
    assert not leftover.exists()


def test_a_killed_process_leaves_nothing_after_the_next_one(tmp_path):
    child = os.fork()
    if not child:
        with whole_file(tmp_path / "out"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (leftover,) = tmp_path.iterdir()
    with whole_file(tmp_path / "out") as partial:
        partial.write_text("whole")
        assert list(tmp_path.iterdir()) == [partial]
    assert not leftover.exists()


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_writers_of_one_output_at_the_same_time_do_not_disturb_each_other(tmp_path, whole):
    out = tmp_path / "out"
    with whole(out) as first, whole(out) as second:
        for partial, text in ((first, "first"), (second, "second")):
            file = partial / "text" if partial.is_dir() else partial
            file.write_text(text)
    file = out / "text" if out.is_dir() else out
    assert file.read_text() == "first"  # it ends last
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_and_a_folder_are_written_inside_a_partial_folder(tmp_path):
    with whole_folder(tmp_path / "out") as outer:
        with whole_file(outer / "file") as partial:
            partial.write_text("whole")
        with whole_folder(outer / "folder") as inner, whole_file(inner / "file") as partial:
            partial.write_text("whole")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "file", "folder", "out"]


def write_often(whole, out, text):
    for _ in range(50):
        with whole(out) as partial:
            file = partial / "text" if partial.is_dir() else partial
            file.write_text(text)


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_processes_that_write_one_output_all_succeed(tmp_path, whole):
    out = tmp_path / "out"
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=write_often, args=(whole, out, text)) for text in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    file = out / "text" if out.is_dir() else out
    assert file.read_text() in ("a", "b", "c")
    assert list(tmp_path.iterdir()) == [out]


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


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', "[1]", "[" * 100_000, '{"a"'])
def test_what_is_no_json_object_is_refused(tmp_path, text):
    path = tmp_path / "card.json"
    path.write_text(text)
    for read in (read_json, read_sealed):
        with pytest.raises(InputError, match=f"^{path}: c"):
            read(path)


CONTENT = {"b": [1, 2.5, None, "é"], "a": {"nested": True}}


@pytest.fixture
def sealed(tmp_path) -> Path:
    """A sealed document and a file that belongs to it."""
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/roc.csv").write_text("fpr,tpr\n0,0\n1,1\n")
    write_sealed(tmp_path / "metrics.json", CONTENT, ["plots/roc.csv"])
    return tmp_path / "metrics.json"


def test_a_sealed_document_is_read_without_its_seal(sealed):
    found = read_sealed(sealed)
    assert list(found) == ["b", "a", "files"]
    assert {**found, "files": None} == {**CONTENT, "files": None}
    assert read_json(sealed) == found
    check_files(sealed, found, ["plots/roc.csv"])


def test_every_flipped_bit_of_a_sealed_document_is_noticed_or_changes_nothing(sealed):
    content = sealed.read_bytes()
    found = read_sealed(sealed)
    noticed = 0
    for position in range(len(content)):
        for bit in range(8):
            flip_bit(sealed, position, bit)
            try:
                assert read_sealed(sealed) == found  # white space, or the case of an escape
            except InputError:
                noticed += 1
            sealed.write_bytes(content)
    assert noticed > 7 * len(content)


def test_a_sealed_document_in_the_place_of_another_one_is_noticed(sealed):
    other = sealed.with_name("sources.json")
    shutil.copy(sealed, other)
    with pytest.raises(InputError, match=f"^{other}: was changed after it was written"):
        read_sealed(other)


def test_a_partial_document_is_sealed_with_the_name_of_the_output(tmp_path):
    path = tmp_path / "some.thing.json"
    with whole_file(path) as partial:
        write_sealed(partial, CONTENT)
    assert read_sealed(path) == CONTENT


def test_a_document_without_a_seal_is_only_read_where_none_is_needed(tmp_path):
    write_json(tmp_path / "card.json", CONTENT)
    assert read_json(tmp_path / "card.json") == CONTENT
    with pytest.raises(InputError, match=r"card.json: has no key 'sha256'.*run `dvc repro` again"):
        read_sealed(tmp_path / "card.json")


def test_a_changed_or_missing_file_of_a_document_is_noticed(sealed):
    found = read_sealed(sealed)
    table = sealed.parent / "plots/roc.csv"
    flip_bit(table, 10)
    with pytest.raises(InputError, match=f"^{table}: was changed after it was written: its SHA"):
        check_files(sealed, found, ["plots/roc.csv"])
    table.unlink()
    with pytest.raises(InputError, match=f"^{table}: is missing"):
        check_files(sealed, found, ["plots/roc.csv"])
    with pytest.raises(InputError, match=f"^{sealed}: names no file 'other.csv'"):
        check_files(sealed, found, ["other.csv"])


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


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_a_copy_onto_a_full_disk_names_its_target(tmp_path, whole):
    source = tmp_path / "source"
    source.write_bytes(bytes(5000))
    target = tmp_path / "results"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught, whole(target) as partial:
            shutil.copyfile(source, partial / "copy" if partial.is_dir() else partial)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(target)
    assert list(tmp_path.iterdir()) == [source]


def test_an_error_about_the_partial_folder_gets_the_name_of_the_output(tmp_path):
    path = tmp_path / "results"
    with pytest.raises(FileNotFoundError) as caught, whole_folder(path) as partial:
        (partial / "no/such.csv").write_text("")
    assert caught.value.filename == str(path)


def test_only_files_and_links_to_them_are_regular(tmp_path):
    file = tmp_path / "file"
    file.touch()
    link = tmp_path / "link"
    link.symlink_to(file)
    check_regular_file(file)
    check_regular_file(link)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pipe", "pipe: is a pipe, a socket or a device, expected a file"),
        ("zero", "zero: is a pipe, a socket or a device, expected a file"),
        (".", "is a folder, expected a file"),
        ("gone", "gone: is missing, expected a file"),
        ("circle", "circle: cannot be read .*, expected a file"),
        ("nul\0", "cannot be read .*null byte.*, expected a file"),
    ],
)
def test_anything_else_is_refused_before_it_is_opened(tmp_path, name, message):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(InputError, match=message):
        check_regular_file(tmp_path / name)


def test_json_in_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(InputError, match="a.json: is a pipe"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_a_file_in_the_place_of_the_folder_is_named(tmp_path, whole):
    (tmp_path / "file").touch()
    path = tmp_path / "file/results"
    with pytest.raises(OSError, match=r"File exists|Not a directory") as caught, whole(path):
        pass
    assert ".partial" not in caught.value.filename
