"""Scans of a folder and of a bucket: found, copied without their names, and told apart."""

import hashlib
import re
from pathlib import Path

import fsspec
import pytest

from flows.fetch import Fetcher
from flows.incoming import Row, Source, list_rows
from flows.new_lesions import find_new_lesions, write_manifest
from graft.common.files import InputError

MANIFEST = b"patient,image,x,y,z,age\nMueller,mueller.nii.gz,1,2,3,50\nMayer,mayer,4,5,6,\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["folder", "bucket"])
def address(request, tmp_path) -> str:
    """A source with the scans of two patients: a file, and a folder of two files."""
    found = str(tmp_path / "source")
    if request.param == "bucket":
        request.getfixturevalue("bucket")
        found = "s3://graft/incoming"
    put(found, "manifest.csv", MANIFEST)
    put(found, "mueller.nii.gz", b"voxels")
    put(found, "mayer/b.dcm", b"second")
    put(found, "mayer/a.dcm", b"first")
    return found


def put(address: str, name: str, content: bytes) -> None:
    with fsspec.open(f"{address}/{name}", "wb", auto_mkdir=True) as file:
        file.write(content)


def fetcher(address: str, folder: Path, known: dict[str, str] | None = None) -> Fetcher:
    folder.mkdir(exist_ok=True)
    return Fetcher(Source.open(address), folder, {} if known is None else known)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_scans_are_copied_under_the_digest_of_their_content(address, tmp_path):
    copies = tmp_path / "copies"
    rows = list_rows(Source.open(address))
    assert [row.line for row in rows] == [2, 3]
    lesions, failures = find_new_lesions(rows, fetcher(address, copies), ["age"], set(), 10)
    write_manifest(copies, lesions)
    of_file = sha256(b"voxels")
    lines = "".join(f"{found}\n" for found in sorted([sha256(b"first"), sha256(b"second")]))
    of_folder = sha256(lines.encode())
    assert [lesion.scan for lesion in lesions] == [of_file, of_folder]
    assert failures == []
    file, folder = f"{of_file[:20]}.nii.gz", of_folder[:20]
    assert (copies / "manifest.csv").read_text().splitlines() == [
        "x,y,z,age,image",
        f"1,2,3,50,{file}",
        f"4,5,6,,{folder}",
    ]
    expected = [file, folder, f"{folder}/00000.dcm", f"{folder}/00001.dcm", "manifest.csv"]
    assert names(copies) == sorted(expected)


def test_a_scan_that_was_there_before_is_not_copied_again(address, tmp_path):
    first = fetcher(address, tmp_path / "first", {})
    lesions, _ = find_new_lesions(list_rows(Source.open(address)), first, [], set(), 10)
    keys = {lesion.key for lesion in lesions}
    put(address, "manifest.csv", MANIFEST.replace(b"mueller.nii.gz", b"renamed.nii.gz"))
    put(address, "renamed.nii.gz", b"voxels")
    put(address, "mayer/b.dcm", b"another")
    again = fetcher(address, tmp_path / "again", first.seen)
    lesions, _ = find_new_lesions(list_rows(Source.open(address)), again, [], keys, 10)
    assert [lesion.line for lesion in lesions] == [3]  # its content is new, the other's name is
    third = fetcher(address, tmp_path / "third", again.seen)
    keys |= {lesion.key for lesion in lesions}
    assert find_new_lesions(list_rows(Source.open(address)), third, [], keys, 10) == ([], [])
    assert names(tmp_path / "third") == []


def test_a_folder_without_manifest_has_pictures(address, tmp_path):
    source = Source.open(address)
    source.files.rm(f"{source.folder}/manifest.csv")
    put(address, "deep/one.PNG", b"picture")
    put(address, "notes.txt", b"text")
    assert list_rows(Source.open(address)) == [Row(None, {"image": "deep/one.PNG"})]
    copies = tmp_path / "copies"
    lesions, _ = find_new_lesions(
        list_rows(Source.open(address)), fetcher(address, copies), [], set(), 10
    )
    assert lesions[0].cells == {"image": f"{sha256(b'picture')[:20]}.png"}


def test_lesions_are_told_apart_and_counted(tmp_path):
    address = str(tmp_path / "source")
    put(address, "a.nii", b"a")
    put(address, "b.nii", b"a")
    place = {"image": "a.nii", "x": "1"}
    rows = [
        Row(2, place),
        Row(3, {**place, "image": "b.nii", "name": "Mayer"}),  # the same lesion once more
        Row(4, {**place, "x": "2"}),
        Row(5, {**place, "x": "3"}),
    ]
    found, _ = find_new_lesions(rows, fetcher(address, tmp_path / "copies"), [], set(), 2)
    assert [lesion.line for lesion in found] == [2, 4]
    assert {lesion.cells["image"] for lesion in found} == {f"{sha256(b'a')[:20]}.nii"}


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("", "image is empty"),
        ("../secret.nii", "no path inside the folder"),
        ("/etc/passwd", "no path inside the folder"),
        ("mueller.nii", "the image or mask is missing"),
        ("mueller.mhd", "the header names another file"),
        ("mueller\0.nii", "no path inside the folder"),
    ],
)
def test_a_scan_that_cannot_be_used_is_a_failure_without_its_name(tmp_path, image, reason):
    source = tmp_path / "source"
    source.mkdir()
    (source / "good.nii").write_bytes(b"good")
    rows = [Row(2, {"image": image}), Row(3, {"image": "good.nii"})]
    copies = fetcher(str(source), tmp_path / "copies")
    lesions, [failure] = find_new_lesions(rows, copies, [], set(), 10)
    assert [lesion.line for lesion in lesions] == [3]
    assert (failure["line"], failure["scan"], failure["key"]) == (2, None, None)
    assert "mueller" not in failure["reason"]
    assert re.search(reason, failure["reason"])


def test_a_link_out_of_the_source_is_not_followed(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "secret.nii").write_bytes(b"secret")
    (source / "series").mkdir()
    (source / "link.nii").symlink_to(tmp_path / "secret.nii")
    (source / "series/1.dcm").symlink_to(tmp_path / "secret.nii")
    copies = fetcher(str(source), tmp_path / "copies")
    rows = [Row(2, {"image": "link.nii"}), Row(3, {"image": "series"})]
    lesions, failures = find_new_lesions(rows, copies, [], set(), 10)
    assert lesions == []
    reason = "the image or mask is no path inside the folder"
    assert [failure["reason"] for failure in failures] == [reason, reason]


@pytest.mark.parametrize(
    ("manifest", "found"),
    [
        (b"", "expected different columns, one of them image"),
        (b"image,image\n", "expected different columns"),
        (b"patient,x\n", "expected different columns"),
        (b"image,x\nMayer\n", "manifest.csv:2: has 1 cells, expected 2"),
        (b"image\n\xff\n", "is no table with commas, in UTF-8"),
        (b"image\nMayer\0\n", "no path|is no table|^$"),
    ],
)
def test_a_manifest_that_is_no_table_is_one_line_without_its_content(tmp_path, manifest, found):
    (tmp_path / "manifest.csv").write_bytes(manifest)
    try:
        list_rows(Source.open(str(tmp_path)))
        message = ""
    except InputError as error:
        message = str(error)
    assert "Mayer" not in message
    assert re.search(found, message)


@pytest.mark.parametrize("address", ["", "nowhere", "nowhere://here", "s3://"])
def test_a_source_that_is_no_folder_is_refused(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^source: .*expected a folder with scans"):
        Source.open(address)
