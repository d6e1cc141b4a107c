import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from graft.grids.grid import Grid
from graft.prediction import cut
from graft.prediction.cut import Input, cut_inputs
from graft.prediction.form import InputForm
from graft.prediction.lesions import Lesion
from graft.prediction.prediction import Failure
from tests.raw import read_domain

CLASSES = ["benign", "malignant"]
GRID = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 1.0))
FLAT = Grid((8, 8), (1.0, 1.0), (0.0, 255.0))
AFFINE = np.array([[-1.5, 0.2, 0, 30], [0.2, 1.2, 0, -10], [0, 0, 2.0, 5], [0, 0, 0, 1.0]])


def make_form(grid: Grid, channels: int = 1, spaced: bool = True, diameter: bool = True):
    return InputForm(grid, channels, spaced, diameter, {})


def write_manifest(folder: Path, rows: list[dict[str, object]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows(rows)


@pytest.fixture
def cohort(tmp_path) -> Path:
    """Two scans with positions in three frames, a mask with two structures, and labels."""
    rng = np.random.default_rng(0)
    voxels = rng.random((20, 22, 14), np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), tmp_path / "a.nii.gz")
    image = SimpleITK.GetImageFromArray(rng.random((18, 20, 16)).astype(np.float32))
    image.SetSpacing((1.1, 0.9, 1.3))
    SimpleITK.WriteImage(image, tmp_path / "b.nrrd")
    mask = np.zeros(voxels.shape, np.uint8)
    mask[5:9, 6:11, 4:8], mask[12:15, 12:14, 8:10] = 1, 2
    nibabel.save(nibabel.Nifti1Image(mask, AFFINE), tmp_path / "mask.nii.gz")
    rows = [
        {"patient": "a", "image": "a.nii.gz", "x": 12, "y": 4, "z": 17, "frame": "ras"},
        {"patient": "b", "image": "b.nrrd", "x": 9, "y": 8, "z": 10, "frame": "voxel"},
        {"patient": "a", "image": "a.nii.gz", "mask": "mask.nii.gz", "segment": "2"},
        {"patient": "b", "image": "b.nrrd", "x": 10, "y": 9, "z": 12, "frame": "lps"},
        {"patient": "a", "image": "a.nii.gz", "mask": "mask.nii.gz", "segment": "1"},
    ]
    for number, row in enumerate(rows):
        row["label"] = CLASSES[number % 2]
        if "x" in row:
            row["diameter_mm"] = 7.123 + number
    write_manifest(tmp_path, rows)
    return tmp_path


def lesions_of(cohort: Path) -> list[Lesion]:
    lesions = []
    with (cohort / "manifest.csv").open() as file:
        for row in csv.DictReader(file):
            position = tuple(float(row[name]) for name in "xyz") if row["x"] else None
            lesion = Lesion(
                cohort / row["image"],
                position,
                row["frame"] or "ras",
                cohort / row["mask"] if row["mask"] else None,
                segment=row["segment"],
                diameter_mm=float(row["diameter_mm"]) if row["diameter_mm"] else None,
            )
            lesions.append(lesion)
    return lesions


@pytest.mark.parametrize("channels", [1, 3])
def test_patches_and_sizes_of_scans_are_those_of_preprocessing(cohort, channels):
    domain = read_domain(cohort, "liver", CLASSES, GRID, channels={1: "auto", 3: "rgb"}[channels])
    found = cut_inputs(make_form(GRID, channels), lesions_of(cohort))
    assert all(isinstance(one, Input) for one in found)
    assert np.stack([one.image for one in found]).tobytes() == np.array(domain.images).tobytes()
    assert [one.size for one in found] == domain.index["size"].tolist()
    assert [one.spacing for one in found] == [tuple(row) for row in domain.spacings]


def test_a_size_in_voxels_is_that_of_preprocessing(cohort):
    grid = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.5, 1.0))
    write_manifest(
        cohort,
        [
            {"patient": name, "image": "a.nii.gz", "x": 12, "y": 4, "z": 17, "label": label}
            for name, label in (("a", "benign"),)
        ]
        + [{"patient": "b", "image": "b.nrrd", "x": -9, "y": -8, "z": 10, "label": "malignant"}],
    )
    domain = read_domain(cohort, "liver", CLASSES, grid)
    lesions = [
        Lesion(cohort / "a.nii.gz", (12.0, 4.0, 17.0)),
        Lesion(cohort / "b.nrrd", (-9.0, -8.0, 10.0)),
    ]
    found = cut_inputs(make_form(grid, diameter=False), lesions)
    assert [one.size for one in found] == domain.index["size"].tolist()


def write_pictures(folder: Path, colours: bool) -> list[Path]:
    rng = np.random.default_rng(1)
    paths = []
    for number, label in enumerate(CLASSES * 2):
        shape = (30, 24, 3) if colours and number else (30, 24)
        pixels = rng.integers(0, 256, shape).astype(np.uint8)
        path = folder / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        paths.append(path)
    return sorted(paths)


@pytest.mark.parametrize(
    ("colours", "asked", "channels"),
    [(False, "auto", 1), (True, "auto", 3), (True, "grey", 1), (False, "rgb", 3)],
)
def test_pictures_are_those_of_preprocessing(tmp_path, colours, asked, channels):
    paths = write_pictures(tmp_path, colours)
    domain = read_domain(tmp_path, "us", CLASSES, FLAT, channels=asked)
    form = make_form(FLAT, channels, spaced=False, diameter=False)
    found = cut_inputs(form, [Lesion(path) for path in paths])
    assert np.stack([one.image for one in found]).tobytes() == np.array(domain.images).tobytes()
    assert [one.size for one in found] == domain.index["size"].tolist()
    assert {one.spacing for one in found} == {None}


@pytest.mark.parametrize("side", [7, 8, 11])
def test_arrays_are_those_of_preprocessing(tmp_path, side):
    images = np.random.default_rng(2).random((4, side, 9, 8)).astype(np.float32)
    np.save(tmp_path / "data.npy", images)
    np.save(tmp_path / "labels.npy", np.array(CLASSES * 2))
    domain = read_domain(tmp_path, "liver", CLASSES, GRID)
    form = make_form(GRID, spaced=False, diameter=False)
    found = cut_inputs(form, [Lesion(tmp_path / "data.npy", row=str(row)) for row in range(4)])
    assert np.stack([one.image for one in found]).tobytes() == domain.images.tobytes()
    assert [one.size for one in found] == domain.index["size"].tolist()


def test_a_medmnist_file_is_that_of_preprocessing(tmp_path):
    rng = np.random.default_rng(3)
    arrays = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = rng.integers(0, 256, (2, 9, 9, 3)).astype(np.uint8)
        arrays[f"{part}_labels"] = np.array([[0], [1]])
    np.savez(tmp_path / "set.npz", **arrays)
    domain = read_domain(tmp_path, "us", CLASSES, FLAT)
    rows = [f"{part}:{row}" for part in ("train", "val", "test") for row in range(2)]
    form = make_form(FLAT, 3, spaced=False, diameter=False)
    found = cut_inputs(form, [Lesion(tmp_path / "set.npz", row=row) for row in rows])
    assert np.stack([one.image for one in found]).tobytes() == domain.images.tobytes()


def test_a_mask_gives_the_position(cohort):
    lesion = lesions_of(cohort)[2]
    [found] = cut_inputs(make_form(GRID), [lesion])
    middle = AFFINE @ [13, 12.5, 8.5, 1]  # of the voxels 12 to 14, 12 to 13, 8 to 9
    assert np.allclose(found.lesion.position, middle[:3])
    assert found.lesion.frame == "ras"
    volume = 3 * 2 * 2 * abs(np.linalg.det(AFFINE))
    assert found.size == round((6 * volume / np.pi) ** (1 / 3), 2)


def test_a_bad_scan_or_place_is_a_failure_and_the_others_are_cut(cohort):
    good = lesions_of(cohort)[0]
    (cohort / "cut.nii.gz").write_bytes((cohort / "a.nii.gz").read_bytes()[:500])
    lesions = [
        good,
        Lesion(cohort / "cut.nii.gz", (1.0, 2.0, 3.0)),
        Lesion(cohort / "missing.nrrd", (1.0, 2.0, 3.0)),
        Lesion(cohort / "a.nii.gz", (1e5, 2.0, 3.0)),
        Lesion(cohort / "b.nrrd", (9.0, 8.0, 10.0), "voxel"),
    ]
    shown: list[int] = []
    found = cut_inputs(make_form(GRID), lesions, shown.append)
    assert [isinstance(one, Failure) for one in found] == [False, True, True, True, False]
    assert "is missing" in found[2].reason
    assert "lies outside the scan" in found[3].reason
    assert sorted(shown) == [0, 1, 2, 3, 4]


def test_several_processes_cut_the_same(cohort, monkeypatch):
    lesions = lesions_of(cohort)
    here = cut_inputs(make_form(GRID), lesions)
    monkeypatch.setattr(cut, "MIN_PARALLEL_BYTES", 0)
    monkeypatch.setenv("GRAFT_WORKERS", "2")
    there = cut_inputs(make_form(GRID), lesions)
    assert [one.image.tobytes() for one in here] == [one.image.tobytes() for one in there]


@pytest.mark.parametrize(
    ("lesion", "form", "message"),
    [
        (Lesion(Path("a.nii.gz")), make_form(GRID), "expected the position of the lesion"),
        (
            Lesion(Path("a.nii.gz"), (1.0, 2.0, 3.0)),
            make_form(GRID, spaced=False),
            "expected a picture or an array",
        ),
        (
            Lesion(Path("a.nii.gz"), (1.0, float("nan"), 3.0)),
            make_form(GRID),
            "expected three numbers",
        ),
        (Lesion(Path("a.nii.gz"), (1.0, 2.0)), make_form(GRID), "expected three numbers"),
        (Lesion(Path("a.nii.gz"), (1, 2, 3), "lpi"), make_form(GRID), "expected ras, lps, voxel"),
        (Lesion(Path("p.png"), (1, 2, 3)), make_form(FLAT), "expected no position or mask"),
        (Lesion(Path("p.png")), make_form(GRID), "expected a volume"),
        (
            Lesion(Path("p.png")),
            make_form(Grid((8, 8), (1.0, 1.0), (0.0, 60000.0)), spaced=False),
            "has 8 bits, expected more",
        ),
    ],
)
def test_what_the_model_cannot_read_is_a_failure(tmp_path, monkeypatch, lesion, form, message):
    monkeypatch.chdir(tmp_path)
    nibabel.save(nibabel.Nifti1Image(np.zeros((9, 9, 9), np.float32), np.eye(4)), "a.nii.gz")
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save("p.png")
    [found] = cut_inputs(form, [lesion])
    assert isinstance(found, Failure)
    assert message in found.reason


@pytest.mark.parametrize("is_first", [True, False])
def test_a_lesion_without_a_place_does_not_stop_another_of_its_scan(tmp_path, is_first):
    scan = tmp_path / "a.nii.gz"
    voxels = np.random.default_rng(0).random((9, 9, 9), np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), scan)
    bad = Lesion(scan, scan="a.nii.gz", line=2 if is_first else 3)
    good = Lesion(scan, (4.0, 4.0, 4.0), scan="a.nii.gz", line=3 if is_first else 2)
    found = cut_inputs(make_form(GRID), [bad, good] if is_first else [good, bad])
    failure, made = found if is_first else found[::-1]
    assert isinstance(made, Input)
    assert failure.message == (
        f"a.nii.gz (line {bad.line}): is a scan, expected the position of the lesion in it, or its "
        "mask"
    )


def test_a_picture_with_a_place_does_not_stop_itself_without_one(tmp_path):
    path = tmp_path / "p.png"
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save(path)
    found = cut_inputs(make_form(FLAT, spaced=False), [Lesion(path, (1, 2, 3)), Lesion(path)])
    assert isinstance(found[0], Failure)
    assert isinstance(found[1], Input)
