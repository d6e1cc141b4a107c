from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graft.common.files import InputError
from graft.grids.grid import Grid
from graft.prediction.form import InputForm
from graft.prediction.inputs import list_lesions
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import Failure

FLAT = InputForm(Grid((8, 8), (1.0, 1.0), (0.0, 255.0)), 1, False, False, {})
DEEP = InputForm(Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 1.0)), 1, True, True, {"age": "number"})


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_manifest_needs_no_labels_and_its_patients_are_not_kept(tmp_path):
    touch(tmp_path / "a.nii.gz")
    touch(tmp_path / "m.nii.gz")
    table = (
        "patient,image,x,y,z,frame,mask,segment,diameter_mm,age,site,split\n"
        "Ann Onym,a.nii.gz,1,2,3,LPS,,,12.5,63,elsewhere =1,nowhere\n"
        "\n"
        "Ann Onym,a.nii.gz,,,,,m.nii.gz,2,,,,\n"
    )
    write(tmp_path / "manifest.csv", table)
    first, second = list_lesions(tmp_path, DEEP)
    assert first == Lesion(
        tmp_path / "a.nii.gz",
        (1.0, 2.0, 3.0),
        "lps",
        diameter_mm=12.5,
        covariates={"age": "63"},
        scan="a.nii.gz",
        line=2,
    )
    assert (second.mask, second.segment, second.line) == (tmp_path / "m.nii.gz", "2", 4)
    assert second.covariates == {"age": ""}
    assert "Ann" not in repr((first, second))


def test_a_manifest_may_have_any_name_and_labels_that_do_not_matter(tmp_path):
    touch(tmp_path / "a.nrrd")
    path = write(tmp_path / "new.csv", "image,label,x,y,z\na.nrrd,unheard of,1,2,3\n")
    [found] = list_lesions(path, DEEP)
    assert found.position == (1.0, 2.0, 3.0)


def test_a_row_that_cannot_be_used_is_a_failure(tmp_path):
    touch(tmp_path / "a.nrrd")
    rows = "a.nrrd,1,2,3\na.nrrd,1,two,3\na.nrrd,,,\n../b.nrrd,1,2,3\n,1,2,3\na.nrrd,4,5,6\n"
    write(tmp_path / "manifest.csv", "image,x,y,z\n" + rows)
    found = list_lesions(tmp_path, DEEP)
    reasons = [one.reason if isinstance(one, Failure) else "" for one in found]
    parts = ["", "y is 'two'", "gives no position", "leaves the folder", "image is empty", ""]
    assert all(part in reason for part, reason in zip(parts, reasons, strict=True))
    assert [bool(reason) for reason in reasons] == [bool(part) for part in parts]


@pytest.mark.parametrize("name", ["=cmd().png", "@a.png", "a\x07.png"])
def test_a_name_that_a_spreadsheet_might_run_is_a_failure(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    touch(Path(name))
    touch(Path("good.png"))
    write(Path("manifest.csv"), f"image\n{name}\ngood.png\n")
    bad, good = list_lesions(Path("manifest.csv"), FLAT)
    assert isinstance(bad, Failure)
    assert bad.lesion.scan == "line 2"
    assert good == Lesion(Path("good.png"), scan="good.png", line=3)


def test_pictures_of_a_folder_are_sorted_and_masks_and_hidden_files_are_left_out(tmp_path):
    names = ("b/2.png", "a/1 (1).jpg", "a/1 (1)_mask.png", "c.bmp", ".x/3.png", "notes.txt")
    for name in names:
        touch(tmp_path / name)
    found = list_lesions(tmp_path, FLAT)
    assert [one.image.relative_to(tmp_path).as_posix() for one in found] == [
        "a/1 (1).jpg",
        "b/2.png",
        "c.bmp",
    ]


def test_rows_of_arrays_and_parts_are_counted(tmp_path):
    np.save(tmp_path / "data.npy", np.zeros((3, 9, 9)))
    np.savez(tmp_path / "set.npz", test_images=np.zeros((2, 9, 9)), val_images=np.zeros((1, 9, 9)))
    assert [one.row for one in list_lesions(tmp_path, FLAT)] == ["0", "1", "2"]
    assert [one.row for one in list_lesions(tmp_path / "set.npz", FLAT)] == [
        "val:0",
        "test:0",
        "test:1",
    ]


def test_one_picture_is_one_lesion(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "p.png")
    assert list_lesions(tmp_path / "p.png", FLAT) == [Lesion(tmp_path / "p.png")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "is missing"),
        ("empty", "has neither manifest.csv nor data.npy"),
        ("series", "needs the position of its lesion"),
        ("a.nii.gz", "needs the position of its lesion"),
        ("none.npz", "has other, expected some of train_images"),
        ("broken.npz", "cannot be read"),
    ],
)
def test_what_is_no_input_is_refused(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    touch(tmp_path / "series/1.dcm")
    touch(tmp_path / "a.nii.gz")
    touch(tmp_path / "broken.npz")
    np.savez(tmp_path / "none.npz", other=np.zeros(3))
    with pytest.raises(InputError, match=message):
        list_lesions(tmp_path / name, DEEP)


def test_a_manifest_or_an_array_without_rows_is_refused(tmp_path):
    np.save(tmp_path / "none.npy", np.zeros((0, 9, 9)))
    for path in (write(tmp_path / "m.csv", "image,x,y,z\n"), tmp_path / "none.npy"):
        with pytest.raises(InputError, match="has no rows, expected one per lesion"):
            list_lesions(path, FLAT)


def test_a_manifest_without_images_is_refused(tmp_path):
    path = write(tmp_path / "m.csv", "scan,x,y,z\na,1,2,3\n")
    with pytest.raises(InputError, match="has no column image, expected image"):
        list_lesions(path, DEEP)


def test_lesions_of_a_patient_share_a_key_only_if_the_manifest_tells_what_is_known(tmp_path):
    touch(tmp_path / "a.nii.gz")
    table = (
        "patient,image,x,y,z,known\n"
        "Ann Onym,a.nii.gz,1,2,3,benign\n"
        "Ann Onym,a.nii.gz,3,2,1,\n"
        ",a.nii.gz,3,3,1,\n"
    )
    write(tmp_path / "manifest.csv", table)
    first, second, third = list_lesions(tmp_path, DEEP)
    assert first.patient == second.patient != ""
    assert "Onym" not in first.patient
    assert (third.patient, [one.known for one in (first, second)]) == ("", ["benign", ""])
    write(tmp_path / "manifest.csv", table.replace("known", "seen"))
    assert {one.patient for one in list_lesions(tmp_path, DEEP)} == {""}


def test_known_may_be_a_covariate_of_the_model(tmp_path):
    touch(tmp_path / "a.nii.gz")
    write(tmp_path / "manifest.csv", "patient,image,x,y,z,known\nA,a.nii.gz,1,2,3,5\n")
    [lesion] = list_lesions(tmp_path, replace(DEEP, kinds={"known": "number"}))
    assert (lesion.known, lesion.covariates) == ("", {"known": "5"})
