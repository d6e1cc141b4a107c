import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graft.common.files import InputError
from graft.forgetting.raw import delete_files
from graft.forgetting.raw_arrays import find_in_arrays
from graft.forgetting.raw_manifest import find_in_manifest
from graft.forgetting.raw_npz import find_in_npz
from graft.forgetting.raw_pictures import find_in_pictures
from graft.forgetting.wanted import Wanted
from graft.keys.pseudonyms import PUBLISHED_KEY, pseudonym

CLASSES = ["benign", "malignant"]


def wanted(text: str) -> Wanted:
    return Wanted(text, [PUBLISHED_KEY])


def write_arrays(root: Path, groups: bool = True) -> None:
    """Six images of three patients, with a table of further labels."""
    np.save(root / "data.npy", np.arange(6 * 8).reshape(6, 2, 2, 2).astype(np.uint8))
    np.save(root / "labels.npy", np.array([0, 0, 1, 1, 0, 1]))
    (root / "tasks.csv").write_text('grade,note\r\n1,a\r\n2,"b\nb"\r\n3,c\r\n4,d\r\n5,e\r\n6,f\r\n')
    if groups:
        np.save(root / "groups.npy", np.array([10, 10, 20, 30, 20, 30]))


def array_state(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.iterdir())}


def test_arrays_lose_the_rows_of_a_patient(tmp_path):
    write_arrays(tmp_path)
    found = find_in_arrays("lung", tmp_path, wanted(pseudonym("20", PUBLISHED_KEY)), CLASSES, 0)
    assert (found.lesions, found.names) == (2, {"20"})
    assert found.left == {"benign": 2, "malignant": 2}
    found.rewrite()
    assert np.load(tmp_path / "groups.npy").tolist() == [10, 10, 30, 30]
    assert np.load(tmp_path / "labels.npy").tolist() == [0, 0, 1, 1]
    data = np.load(tmp_path / "data.npy")
    assert data.dtype == np.uint8
    assert data[:, 0, 0, 0].tolist() == [0, 8, 24, 40]
    table = (tmp_path / "tasks.csv").read_bytes()
    assert table == b'grade,note\r\n1,a\r\n2,"b\nb"\r\n4,d\r\n6,f\r\n'
    assert find_in_arrays("lung", tmp_path, wanted("20"), CLASSES, 0) is None


def test_arrays_of_a_run_that_was_killed_are_completed(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
        write_arrays(folder)
    find_in_arrays("lung", whole, wanted("20"), CLASSES, 0).rewrite()
    names = ["data.npy", "labels.npy", "tasks.csv", "groups.npy"]  # the order of the changes
    for done in range(1, 4):
        for name in names[:done]:
            (killed / name).write_bytes((whole / name).read_bytes())
        find_in_arrays("lung", killed, wanted("20"), CLASSES, 0).rewrite()
        assert array_state(killed) == array_state(whole)
        write_arrays(killed)
    np.save(killed / "labels.npy", np.zeros(3))
    with pytest.raises(InputError, match="labels.npy: has 3 rows, expected 6, or 4 without"):
        find_in_arrays("lung", killed, wanted("20"), CLASSES, 0)


def test_rows_without_names_count_in_the_processed_domain(tmp_path):
    write_arrays(tmp_path, groups=False)
    row = wanted("lung row 2")
    assert find_in_arrays("lung", tmp_path, row, CLASSES, 0) is None  # nobody counted them
    find_in_arrays("lung", tmp_path, row, CLASSES, 6).rewrite()
    assert np.load(tmp_path / "labels.npy").tolist() == [0, 0, 1, 0, 1]
    assert find_in_arrays("lung", tmp_path, row, CLASSES, 6) is None  # not the next one


def test_an_archive_loses_one_image(tmp_path):
    file = tmp_path / "breast.npz"
    arrays = {}
    for part, count in (("train", 4), ("val", 2), ("test", 3)):
        arrays[f"{part}_images"] = np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2)
        arrays[f"{part}_labels"] = np.arange(count)[:, None] % 2
    np.savez_compressed(file, **arrays, about=np.array("kept"))
    places = [
        f"{part}:{row}" for part, n in (("train", 4), ("val", 2), ("test", 3)) for row in range(n)
    ]
    index = pd.DataFrame({"origin": places})
    one = wanted("breast train:1")
    found = find_in_npz("breast", file, one, CLASSES, index)
    assert found.left == {"benign": 5, "malignant": 3}
    found.rewrite()
    with np.load(file) as kept:
        assert kept["train_images"].tolist() == arrays["train_images"][[0, 2, 3]].tolist()
        assert kept["train_labels"].ravel().tolist() == [0, 0, 1]
        assert str(kept["about"]) == "kept"
        for name in ("val_images", "val_labels", "test_images", "test_labels"):
            assert np.array_equal(kept[name], arrays[name])
    assert find_in_npz("breast", file, one, CLASSES, index) is None
    assert find_in_npz("breast", file, one, CLASSES, None) is None


def picture(seed: int) -> bytes:
    written = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8), np.uint8)
    Image.fromarray(noise).save(written, "PNG")
    return written.getvalue()


def write_pictures(root: Path, names: tuple[str, ...]) -> None:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(seed))


def test_pictures_are_found_by_the_patient_in_their_names(tmp_path):
    names = ("benign/P1_a.png", "benign/P1_a_mask.png", "malignant/P1_b.png", "benign/P12_a.png")
    write_pictures(tmp_path, names)
    found = find_in_pictures("us", tmp_path, wanted("P1"), r"^(P\d+)_", "_mask")
    assert found.lesions == 2
    assert sorted(file.name for file in found.files) == ["P1_a.png", "P1_a_mask.png", "P1_b.png"]
    assert found.emptied(CLASSES) == ["malignant"]
    delete_files(found.files, tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["benign", "P12_a.png"]


def test_pictures_without_a_pattern_are_patients_by_their_path(tmp_path):
    write_pictures(tmp_path, ("benign/a.png", "benign/a_mask.png", "benign/b.png"))
    for text in ("us benign/a.png", "benign/a.png", pseudonym("us benign/a.png", PUBLISHED_KEY)):
        found = find_in_pictures("us", tmp_path, wanted(text), None, "_mask")
        assert found.lesions == 1
        assert "benign/b.png" not in [text for text, _ in found.texts]
        assert {file.name for file in found.files} >= {"a.png"}


def test_a_mask_of_two_patients_and_a_file_outside_stay(tmp_path):
    raw = tmp_path / "raw"
    write_pictures(raw, ("a.png", "b.png", "mask.png", "sub/linked.png"))
    (tmp_path / "outside.png").write_bytes(b"outside")
    (raw / "link.png").symlink_to(raw / "sub/linked.png")
    rows = (
        "patient,image,label,mask",
        "Ann One,a.png,benign,mask.png",
        "Ann One,../outside.png,benign,",
        "Ann One,link.png,benign,",
        "Ben Two,b.png,benign,mask.png",
    )
    (raw / "manifest.csv").write_text("\n".join(rows))
    found = find_in_manifest("us", raw, wanted("Ann One"))
    delete_files(found.files, raw)
    found.rewrite()
    assert (tmp_path / "outside.png").exists()
    assert sorted(path.name for path in raw.iterdir()) == ["b.png", "manifest.csv", "mask.png"]
    assert (raw / "manifest.csv").read_text() == f"{rows[0]}\n{rows[4]}"


def test_of_a_link_that_leads_out_of_the_raw_data_only_the_link_is_deleted(tmp_path):
    raw = tmp_path / "raw"
    (raw / "scan").mkdir(parents=True)
    (tmp_path / "outside.dcm").write_bytes(b"outside")
    (raw / "scan/1.dcm").symlink_to(tmp_path / "outside.dcm")
    (raw / "manifest.csv").write_text("patient,image,label\nAnn One,scan,benign\n")
    found = find_in_manifest("ct", raw, wanted("Ann One"))
    for _ in range(2):  # two domains may name the same folder
        delete_files(found.files, raw)
    assert (tmp_path / "outside.dcm").read_bytes() == b"outside"
    assert [path.name for path in raw.iterdir()] == ["manifest.csv"]
