import io
import zipfile
from pathlib import Path

import pytest

from graft.service.archive import unpack
from graft.service.faults import RefusedError
from graft.service.settings import Limits

LIMITS = Limits(inflated=1000, files=5)


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_dicom_files_get_numbers_in_the_order_of_their_names(tmp_path):
    members = {
        "Loudvoice/IM2": b"two",
        "Loudvoice/IM1.dcm": b"one",
        "Loudvoice/1.2.840.3": b"uid",
        "Loudvoice/readme.txt": b"text",
        "DICOMDIR": b"directory",
        "__MACOSX/._IM1.dcm": b"mac",
    }
    found = unpack(write_zip(tmp_path / "a", members), tmp_path / "out", Limits())
    assert found == tmp_path / "out"
    contents = {path.name: path.read_bytes() for path in found.iterdir()}
    assert contents == {
        "00001": b"uid",
        "00002.dcm": b"one",
        "00003": b"two",
        "00004.other": b"text",
    }


def test_a_header_keeps_its_name_and_that_of_its_data(tmp_path):
    members = {"scans/a.mhd": b"header", "scans/a.raw": b"data"}
    found = unpack(write_zip(tmp_path / "a", members), tmp_path / "out", LIMITS)
    assert found == tmp_path / "out/a.mhd"
    assert found.with_name("a.raw").read_bytes() == b"data"


@pytest.mark.parametrize("name", ["../../a.nii", "/etc/a.nii", "C:/a.nii"])
def test_no_member_leaves_the_folder(tmp_path, name):
    inner = tmp_path / "inner"
    inner.mkdir()
    found = unpack(write_zip(inner / "a", {name: b"x"}), inner / "out", LIMITS)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == sorted([inner / "a", found])
    assert found.parent == inner / "out"


@pytest.mark.parametrize(
    ("members", "status", "text"),
    [
        ({}, 422, "no files"),
        ({"a/": b""}, 422, "no files"),
        ({"a.dcm": bytes(1001)}, 413, "inflates to more than 1000 bytes"),
        ({f"{n}.dcm": bytes(300) for n in range(4)}, 413, "inflates to more than 1000 bytes"),
        ({f"{n}.dcm": b"" for n in range(6)}, 413, "6 files, expected at most 5"),
        ({"a.nii": b"x", "b.nrrd": b"x"}, 422, "2 volumes"),
        ({"a.mhd": b"x", "b/c.raw": b"x", "d/c.raw": b"x"}, 422, "two files of one name"),
    ],
)
def test_an_unsuitable_zip_is_refused(tmp_path, members, status, text):
    with pytest.raises(RefusedError, match=text) as caught:
        unpack(write_zip(tmp_path / "a", members), tmp_path / "out", LIMITS)
    assert caught.value.status == status


def test_a_size_that_a_zip_claims_does_not_count(tmp_path):
    content = bytearray(write_zip(tmp_path / "a", {"a.dcm": bytes(5000)}).read_bytes())
    place = content.rindex(b"PK\x01\x02") + 24  # the size in the directory
    content[place : place + 4] = (10).to_bytes(4, "little")
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(RefusedError):
        unpack(tmp_path / "a", tmp_path / "out", LIMITS)
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert written <= 1000


@pytest.mark.parametrize("name", [f"{'a' * 300}.raw", "..", "a/..", "\x01.raw"])
def test_a_name_that_no_file_can_have_is_refused_or_skipped(tmp_path, name):
    members = {"a.mhd": b"header", name: b"data"}
    try:
        found = unpack(write_zip(tmp_path / "a", members), tmp_path / "out", LIMITS)
    except RefusedError as error:
        assert error.status == 422
    else:
        assert found == tmp_path / "out/a.mhd"
    assert not list(tmp_path.glob("*.raw"))


def test_an_encrypted_zip_is_refused(tmp_path):
    content = bytearray(write_zip(tmp_path / "a", {"a.dcm": b"x"}).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(RefusedError, match="encrypted"):
        unpack(tmp_path / "a", tmp_path / "out", LIMITS)


@pytest.mark.parametrize("cut", range(0, 160, 7))
def test_a_zip_that_is_cut_short_is_refused(tmp_path, cut):
    content = write_zip(tmp_path / "a", {"a.dcm": bytes(100), "b.dcm": b"x"}).read_bytes()
    (tmp_path / "a").write_bytes(content[:cut])
    with pytest.raises(RefusedError, match="damaged|no files"):
        unpack(tmp_path / "a", tmp_path / "out", LIMITS)


def test_a_zip_in_a_zip_is_not_opened(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        file.writestr("a.nii", b"x")
    found = unpack(write_zip(tmp_path / "a", {"b.zip": inner.getvalue()}), tmp_path / "out", LIMITS)
    assert [path.name for path in found.iterdir()] == ["00001.other"]
