import csv
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.grids.grid import Grid
from tests.limited import run_limited
from tests.raw import read_domain

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("GRAFT_SHARED_DATA") or ROOT.parent / "shared" / "data")
CLASSES = ["benign", "malignant"]
GRID = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 1.0))
AFFINE = np.diag([-2.0, 1, 1, 1])
AFFINE[:3, 3] = (30, -10, 5)
ANN = {"patient": "ann", "image": "ann.nii.gz"}
BOB = {"patient": "bob", "image": "bob.nii.gz"}
AT_10_2_14 = {"x": "10", "y": "2", "z": "14"}  # mm, voxel (10, 12, 9)
AT_14_5_17 = {"x": "14", "y": "5", "z": "17"}  # mm, voxel (8, 15, 12)
ROWS = [
    ANN | {"label": "benign"} | AT_10_2_14,
    BOB | {"label": "malignant"} | AT_14_5_17,
    ANN | {"label": "malignant"} | AT_14_5_17,
]


def write_manifest(folder: Path, rows: list[dict[str, str]]) -> None:
    columns: dict[str, None] = {}
    for row in rows:
        columns |= dict.fromkeys(row)
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(columns), restval="")
        table.writeheader()
        table.writerows(rows)


def shorten(value: object) -> str | None:
    """The start of a message as the id of a test; pytest itself names the other parameters."""
    return value[:60] if isinstance(value, str) else None


def with_cells(column: str, cells: list[str]) -> list[dict[str, str]]:
    """ROWS with one more column."""
    return [row | {column: cell} for row, cell in zip(ROWS, cells, strict=True)]


def write_nifti(path: Path, voxels: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)


@pytest.fixture
def cohort(tmp_path) -> Path:
    """Two volumes of 20 x 24 x 20 voxels, and a manifest of three lesions."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("ann", "bob"):
        voxels = rng.random((20, 24, 20), np.float32)
        write_nifti(folder / f"{name}.nii.gz", voxels)
    write_manifest(folder, ROWS)
    return folder


def write_arrays(folder: Path, **arrays: np.ndarray) -> Path:
    rng = np.random.default_rng(0)
    data = rng.random((4, 8, 8, 8), np.float32)
    good = {"data": data, "labels": np.array([0, 1, 0, 1])}
    folder.mkdir(exist_ok=True)
    for name, array in (good | arrays).items():
        np.save(folder / f"{name}.npy", array)
    return folder


def write_medmnist(path: Path, size: tuple[int, ...] = (8, 8, 8), **arrays: np.ndarray) -> Path:
    rng = np.random.default_rng(0)
    good = {}
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        shape = (count, *size)
        labels = np.arange(count, dtype=np.uint8) % 2
        good[f"{part}_images"] = rng.integers(0, 256, shape, np.uint8)
        good[f"{part}_labels"] = labels[:, None]
    np.savez_compressed(path, **(good | arrays))
    return path


def read_lung(path: Path, grid: Grid = GRID) -> Domain:
    return read_domain(path, "lung", CLASSES, grid)


def assert_refused(path: Path, message: str, grid: Grid = GRID) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_lung(path, grid)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_manifest_gives_one_patch_per_row(cohort):
    domain = read_lung(cohort)
    index = domain.index
    assert domain.images.shape == (3, 1, 8, 8, 8)
    assert domain.images.dtype == np.float16
    assert list(index["label"]) == ["benign", "malignant", "malignant"]
    assert list(index["origin"]) == ["manifest.csv:2", "manifest.csv:3", "manifest.csv:4"]


def test_the_rows_of_one_patient_have_one_pseudonym(cohort):
    first, second, third = read_lung(cohort).index["patient"]
    assert first == third
    assert first != second
    assert not {first, second} & {"ann", "bob"}


def test_patches_are_in_the_order_of_the_rows(cohort):
    images = read_lung(cohort).images
    write_manifest(cohort, [ROWS[2], ROWS[0], ROWS[1]])
    assert np.array_equal(read_lung(cohort).images, images[[2, 0, 1]])


def test_every_frame_and_a_mask_give_the_same_place(cohort):
    by_millimetres = read_lung(cohort)
    mask = np.zeros((20, 24, 20), np.uint8)
    mask[9:12, 12, 9] = 1  # centroid (10, 12, 9), as in the first row; 3 voxels of 2 mm³
    write_nifti(cohort / "mask.nii.gz", mask)
    in_mask = ANN | {"label": "benign", "mask": "mask.nii.gz"}
    in_lps = ROWS[1] | {"x": "-14", "y": "-5", "frame": "lps", "diameter_mm": "4.5"}
    in_voxels = ROWS[2] | {"x": "8", "y": "15", "z": "12", "frame": "voxel", "diameter_mm": "7"}
    write_manifest(cohort, [in_mask, in_lps, in_voxels])

    domain = read_lung(cohort)

    assert np.allclose(domain.images, by_millimetres.images, atol=1e-3)
    assert domain.preprocessing["size"] == "diameter in mm"
    assert list(domain.index["size"]) == [2.25, 4.5, 7]  # (6 · 6 / π)^(1/3) = 2.2545
    assert by_millimetres.masks is None
    assert domain.masks.shape == (3, 8, 8, 8)
    assert domain.masks[0].sum() == 6  # 3 voxels of 2 mm³ on a grid of 1 mm
    assert not domain.masks[1:].any()


def test_a_mask_is_cut_at_the_place_of_its_image(cohort):
    rng = np.random.default_rng(0)
    voxels = rng.random((20, 24, 20), np.float32) / 4
    voxels[9:12, 11:15, 8:11] = 1
    lesion = (voxels == 1).astype(np.uint8)
    write_nifti(cohort / "ann.nii.gz", voxels)
    write_nifti(cohort / "mask.nii.gz", lesion)
    masked = ROWS[0] | {"x": "11", "mask": "mask.nii.gz"}
    write_manifest(cohort, [masked, ROWS[1]])

    domain = read_lung(cohort)

    mask = domain.masks[0] == 1
    image = domain.images[0, 0]
    assert mask.sum() == 72  # mm³, 36 voxels of 2 mm³
    assert mask[image > 0.7].all()
    assert image[mask].mean() > 0.6
    assert image[~mask].mean() < 0.25


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nhdr", ".mhd", ".nii"])
def test_every_format_gives_the_same_patch(cohort, suffix):
    expected = read_lung(cohort).images
    for name in ("ann", "bob"):
        scan = SimpleITK.ReadImage(cohort / f"{name}.nii.gz")
        SimpleITK.WriteImage(scan, cohort / f"{name}{suffix}")
    rows = [row | {"image": row["patient"] + suffix} for row in ROWS]
    write_manifest(cohort, rows)
    assert np.allclose(read_lung(cohort).images, expected, atol=1e-3)


def test_without_a_diameter_the_size_is_a_number_of_voxels(cohort):
    domain = read_lung(cohort)
    assert "voxels" in domain.preprocessing["size"]
    above_0 = domain.images[0] > 0
    assert domain.index["size"][0] == above_0.sum()


def test_a_manifest_gives_patches_of_two_dimensions(cohort):
    grid = Grid((8, 6), (1.0, 1.0), (0.0, 1.0))
    domain = read_lung(cohort, grid)
    assert domain.images.shape == (3, 1, 8, 6)


ROW_FAULTS = [
    ({"label": "unclear"}, "manifest.csv:3: label is 'unclear', expected one of benign, malignant"),
    ({"patient": " "}, "manifest.csv:3: patient is empty"),
    ({"z": ""}, "manifest.csv:3: z is empty, expected a number"),
    ({"x": "", "y": "", "z": ""}, "manifest.csv:3: gives no position"),
    ({"y": "left"}, "manifest.csv:3: y is 'left', expected a number"),
    ({"y": "nan"}, "manifest.csv:3: y is 'nan', expected a number"),
    ({"site": "=1+1"}, "manifest.csv:3: site is '=1.1', expected at most 100 printable"),
    ({"site": "<b>"}, "manifest.csv:3: site is '<b>', expected at most 100 printable"),
    ({"frame": "world"}, "manifest.csv:3: frame is 'world', expected one of ras, lps, voxel"),
    (
        {"split": "val"},
        "manifest.csv:3: split is 'val', expected one of train, validation, test, external",
    ),
    (
        {"image": "../out.nii.gz"},
        "manifest.csv:3: image is '../out.nii.gz', which leaves the folder",
    ),
    ({"image": "/etc/passwd"}, "manifest.csv:3: image is '/etc/passwd', which leaves the folder"),
    ({"image": "link.nii.gz"}, "manifest.csv:3: image is 'link.nii.gz', which leaves the folder"),
    ({"image": "a\0b.nii"}, "manifest.csv:3: image is 'a.x00b.nii', expected a file"),
    ({"mask": "../out.nii.gz"}, "manifest.csv:3: mask is '../out.nii.gz', which leaves the folder"),
    ({"image": "gone.nii.gz"}, "manifest.csv:3: .*gone.nii.gz: is missing"),
    ({"image": "4d.nii"}, "manifest.csv:3: .*4d.nii: has 4 dimensions"),
    (
        {"image": "broken.nii.gz"},
        "manifest.csv:3: .*broken.nii.gz: cannot be read, it may be cut short",
    ),
    ({"x": "300"}, "manifest.csv:3: bob.nii.gz: the lesion at .* lies outside the scan"),
    ({"image": "nan.nii"}, "manifest.csv:3: nan.nii: the lesion .* NaN"),
    ({"image": "flat.nii"}, "manifest.csv:3: flat.nii: the lesion .* 0.5 everywhere"),
    ({"mask": "empty.nii"}, "manifest.csv:3: .*empty.nii: is empty"),
    (
        {"mask": "shifted.nii"},
        "manifest.csv:3: .*shifted.nii: lies on another grid than bob.nii.gz",
    ),
    ({"image": "ann.nii.gz"}, "manifest.csv:3: ann.nii.gz belongs to another patient on line 2"),
    (ROWS[0] | {"label": "malignant"}, "repeats the lesion of line 2"),
]


@pytest.fixture
def cohort_with_faulty_files(cohort) -> Path:
    """The cohort with volumes that cannot be used, and a link that leaves the folder."""
    shape = (20, 24, 20)
    volumes = {
        "4d": np.ones((*shape, 2)),
        "nan": np.full(shape, np.nan),
        "flat": np.full(shape, 0.5),
        "empty": np.zeros(shape),
        "shifted": np.ones((20, 24, 21)),
    }
    for name, voxels in volumes.items():
        write_nifti(cohort / f"{name}.nii", voxels.astype(np.float32))
    content = (cohort / "bob.nii.gz").read_bytes()
    outside = cohort.parent / "out.nii.gz"
    outside.write_bytes(content)
    (cohort / "broken.nii.gz").write_bytes(content[:-20])
    (cohort / "link.nii.gz").symlink_to(outside)
    return cohort


@pytest.mark.parametrize(("change", "message"), ROW_FAULTS, ids=shorten)
def test_a_row_that_cannot_be_used_is_named(cohort_with_faulty_files, change, message):
    write_manifest(cohort_with_faulty_files, [ROWS[0], ROWS[1] | change, ROWS[2]])
    assert_refused(cohort_with_faulty_files, message)


@pytest.mark.parametrize(
    ("cell", "message"),
    [("-4", "is -4, expected more"), ("", "is empty"), ("4 mm", "is '4 mm'")],
)
def test_an_invalid_diameter_is_named(cohort, cell, message):
    write_manifest(cohort, with_cells("diameter_mm", ["5", cell, "7"]))
    assert_refused(cohort, f"manifest.csv:3: diameter_mm {message}")


@pytest.mark.parametrize("column", ["patient", "label", "y"])
def test_a_missing_column_is_named(cohort, column):
    rows = [dict(row) for row in ROWS]
    for row in rows:
        del row[column]
    write_manifest(cohort, rows)
    assert_refused(cohort, f"manifest.csv: has no column {column}, expected")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "manifest.csv: has no column"),
        (b"patient,image,label,x,y,z\n", "has no rows"),
        (b"patient,image,label,x,y,z\nann,a.nii\n", "manifest.csv:2: has 2 cells, expected 6"),
        (b"patient,image,label,x,y,z,x\n", "has a column twice"),
        (b"patient,image,label,x,y,z\n\xff\n", "in UTF-8"),
    ],
)
def test_a_manifest_that_is_not_a_table_is_refused(cohort, content, message):
    (cohort / "manifest.csv").write_bytes(content)
    assert_refused(cohort, message)


def test_a_patient_in_two_given_splits_is_refused(cohort):
    write_manifest(cohort, with_cells("split", ["train", "test", "test"]))
    message = "one patient is in two given splits, 'train' at manifest.csv:2 and 'test' at manif"
    assert_refused(cohort, message)


def test_a_class_without_patients_is_refused(cohort):
    write_manifest(cohort, ROWS[1:])
    assert_refused(cohort, "no patient has the label 'benign'")


def test_arrays_are_windowed_padded_and_cropped(tmp_path, capsys):
    data = np.zeros((2, 6, 8, 10))
    data[0, 1, 2, 3] = 50
    data[1, 5, 7, 5] = 300
    groups = np.array(["ann", "bob"])
    labels = np.array(CLASSES)
    folder = write_arrays(tmp_path / "a", data=data, labels=labels, groups=groups)
    grid = Grid((8, 8, 8), (1.0, 1.0, 1.0), (-100.0, 100.0))

    domain = read_lung(folder, grid)

    # The first axis of 6 is padded by 1 on each side, the last of 10 is cropped by 1.
    expected = np.zeros((2, 1, 8, 8, 8), np.float16)
    expected[:, 0, 1:7] = 0.5  # 0 is the middle of the window, and padding is its lower end
    expected[0, 0, 2, 2, 2] = 0.75  # 50 is three quarters of the way from -100 to 100
    expected[1, 0, 6, 7, 4] = 1  # 300 is above the window
    assert np.array_equal(domain.images, expected)
    assert list(domain.index["size"]) == [480, 480]  # 6 · 8 · 10 voxels
    assert domain.preprocessing["spacing"] is None
    assert "arrays have no spacing" in capsys.readouterr().out


def test_arrays_may_have_channels_and_two_dimensions(tmp_path):
    data = np.random.default_rng(0).random((4, 3, 10, 12))
    folder = write_arrays(tmp_path / "a", data=data)
    grid = Grid((8, 8), (1.0, 1.0), (0.0, 1.0))
    domain = read_lung(folder, grid)
    cropped = data[:, :, 1:9, 2:10]
    assert np.allclose(domain.images, cropped, atol=1e-3)
    assert domain.index["patient"].nunique() == 4


ARRAY_FAULTS = [
    (
        {"data": np.array([{}, {}], object)},
        "data.npy: contains pickled objects, expected numbers or text",
    ),
    (
        {"labels": np.array([{}, {}], object)},
        "labels.npy: contains pickled objects",
    ),
    (
        {"labels": np.array([0, 1, 0])},
        "labels.npy: has 3 rows and data.npy has 4, expected as many",
    ),
    (
        {"groups": np.array([0, 1, 0])},
        "groups.npy: has 3 rows and data.npy has 4, expected as many",
    ),
    ({"labels": np.array([0, 1, 2, 1])}, "labels.npy: row 2 is 2, expected one of 0, 1"),
    (
        {"labels": np.array(["benign", "bad"] * 2)},
        "labels.npy: row 1 is bad, expected one of benign, malignant",
    ),
    ({"labels": np.array([0.0, 1, 0, 1])}, "labels.npy: has float64, expected whole numbers"),
    (
        {"labels": np.zeros((4, 2), int)},
        r"labels.npy: has the shape \(4, 2\), expected one value per sample",
    ),
    ({"labels": np.zeros(4, int)}, "no patient has the label 'malignant'"),
    ({"data": np.zeros((4, 8, 8))}, r"data.npy: has the shape \(4, 8, 8\), expected"),
    ({"data": np.zeros((4, 9, 8, 8, 8))}, "at most 4 channels"),
    ({"data": np.zeros((4, 8, 8, 8), complex)}, "have complex128, expected real numbers"),
    ({"data": np.full((4, 8, 8, 8), np.nan)}, "data.npy:0 has NaN"),
    ({"data": np.ones((4, 8, 8, 8))}, "data.npy:0 is 1 everywhere"),
]


@pytest.mark.parametrize(("change", "message"), ARRAY_FAULTS, ids=shorten)
def test_arrays_that_cannot_be_used_are_refused(tmp_path, change, message):
    folder = write_arrays(tmp_path / "a", **change)
    assert_refused(folder, message)


def test_an_array_cut_short_is_refused(tmp_path):
    folder = write_arrays(tmp_path / "a")
    path = folder / "data.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert_refused(folder, "data.npy: is cut short")


def test_a_missing_array_is_refused(tmp_path):
    folder = write_arrays(tmp_path / "a")
    (folder / "data.npy").unlink()
    assert_refused(folder, "data.npy: is missing")


def channels_first(image: np.ndarray) -> np.ndarray:
    return np.moveaxis(image, -1, 0)


def add_channel(image: np.ndarray) -> np.ndarray:
    return image[None]


@pytest.mark.parametrize(
    ("size", "patch", "with_channels"),
    [
        ((8, 8, 8), (8, 8, 8), add_channel),
        ((8, 8), (8, 8), add_channel),
        ((8, 8, 3), (8, 8), channels_first),
    ],
    ids=["volume", "plane", "colour"],
)
def test_medmnist_keeps_its_images_and_its_official_split(
    tmp_path,
    size: tuple[int, ...],
    patch: tuple[int, ...],
    with_channels: Callable[[np.ndarray], np.ndarray],
):
    path = write_medmnist(tmp_path / "some.npz", size)
    first = np.load(path)["train_images"][0] / 255
    expected = with_channels(first)
    grid = Grid(patch, (1.0,) * len(patch), (0.0, 255.0))
    for place in (path, tmp_path):  # the file, and the folder that contains it
        domain = read_lung(place, grid)
        assert domain.images.shape == (8, *expected.shape)
        assert list(domain.index["split"]) == ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
        assert np.allclose(domain.images[0], expected, atol=1e-3)


MEDMNIST_FAULTS = [
    ({"val_labels": np.array([{}, {}], object)}, "val_labels contains pickled objects"),
    ({"val_labels": np.zeros((3, 1), int)}, "val has 2 images and 3 labels"),
    ({"val_labels": np.full((2, 1), 7)}, "val_labels: row 0 is 7, expected one of 0, 1"),
    ({"val_labels": np.zeros((2, 14), int)}, "val_labels: has the shape"),
    (
        {"val_images": np.ones((2, 8, 8))},
        r"val_images has the shape \(2, 8, 8\), expected 3 numbers",
    ),
    ({"val_images": np.ones((2, 8, 8, 7))}, "its parts have images of"),
]


@pytest.mark.parametrize(("change", "message"), MEDMNIST_FAULTS, ids=shorten)
def test_a_medmnist_file_that_cannot_be_used_is_refused(tmp_path, change, message):
    path = write_medmnist(tmp_path / "some.npz", **change)
    assert_refused(path, message)


def test_a_medmnist_file_cut_short_is_refused(tmp_path):
    path = write_medmnist(tmp_path / "some.npz")
    path.write_bytes(path.read_bytes()[:-30])
    assert_refused(path, "cannot be read as arrays")


def test_another_npz_file_is_refused(tmp_path):
    path = tmp_path / "some.npz"
    np.savez(path, x=np.ones(3))
    message = "some.npz: has no train_images, expected the arrays train_images, train_labels"
    assert_refused(path, message)


def test_a_folder_without_raw_data_is_refused(tmp_path):
    assert_refused(tmp_path / "gone", "is missing")
    assert_refused(tmp_path, "contains none of these, expected one form of raw data")


def test_a_folder_with_two_forms_of_raw_data_is_refused(cohort):
    write_arrays(cohort)
    assert_refused(cohort, "contains manifest and arrays, expected one form")


CT_GRID = Grid((4, 4, 4), (1.0, 1.0, 1.0), (-2000.0, 2000.0))


@pytest.fixture
def disc(cohort, write_series) -> dict[str, str]:
    """Series 2 and 5 of one patient in the folder disc, and a row without a series."""

    def write_numbered(number: int) -> None:
        def change(made, k) -> None:
            made.SeriesNumber = number
            made.SeriesInstanceUID = f"2.25.{number}"

        line = (1, -1000 - 20 * number)  # slope and intercept, so series 2 is 60 HU above 5
        write_series(cohort / "disc" / str(number), change=change, rescale=lambda k: line)

    write_numbered(2)
    write_numbered(5)
    return {"patient": "cy", "image": "disc", "x": "28", "y": "17", "z": "107"}


def disc_rows(disc: dict[str, str]) -> list[dict[str, str]]:
    return [
        disc | {"label": "benign", "series": "2"},
        disc | {"label": "malignant", "series": "5"},
        disc | {"label": "malignant", "series": "2", "x": "27"},
    ]


def test_the_column_series_selects_a_dicom_series(cohort, disc):
    write_manifest(cohort, disc_rows(disc))
    images = read_lung(cohort, CT_GRID).images[:, 0].astype(float)
    difference = (images[0] - images[1]) * 4000  # HU, the width of the window
    assert np.allclose(difference, 60, atol=3)


def test_two_series_without_the_column_series_are_refused(cohort, disc):
    rows = [row | {"series": ""} for row in disc_rows(disc)[1:]]
    write_manifest(cohort, rows)
    message = "manifest.csv:[23]: .*disc: contains 2 series, expected the column series"
    assert_refused(cohort, message, CT_GRID)


def test_a_series_inside_the_folder_of_another_patient_is_refused(cohort, disc):
    first, second, _ = disc_rows(disc)
    other_patient = second | {"patient": "di", "image": "disc/5", "series": ""}
    write_manifest(cohort, [first, other_patient])
    assert_refused(cohort, "manifest.csv:3: 5 belongs to another patient on line 2", CT_GRID)


def make_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def make_outside_link(path: Path) -> None:
    """Move a file out of the folder of raw data, and put a link in its place."""
    outside = path.parents[1] / f"outside-{path.name}"
    path.rename(outside)
    path.symlink_to(outside)


@pytest.mark.parametrize("name", ["manifest.csv", "ann.nii.gz"])
def test_a_file_of_a_manifest_that_is_a_link_to_another_folder_is_refused(cohort, name):
    make_outside_link(cohort / name)
    assert_refused(cohort, f"{name}.* leaves the folder, expected a file inside")


@pytest.mark.parametrize("name", ["data.npy", "labels.npy", "groups.npy"])
def test_an_array_that_is_a_link_to_another_folder_is_refused(tmp_path, name):
    folder = write_arrays(tmp_path / "a", groups=np.arange(4))
    make_outside_link(folder / name)
    assert_refused(folder, f"{name}: is a link that leaves the folder, expected a file inside")


def test_a_medmnist_file_that_is_a_link_to_another_folder_is_refused(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    path = write_medmnist(folder / "some.npz")
    make_outside_link(path)
    assert_refused(folder, "some.npz: is a link that leaves the folder, expected a file inside")


@pytest.mark.parametrize("target", ["groups.npy", "nothing"])
def test_a_link_to_nothing_in_place_of_the_groups_is_refused(tmp_path, target):
    folder = write_arrays(tmp_path / "a")
    (folder / "groups.npy").symlink_to(target)
    assert_refused(folder, "groups.npy: (is missing|cannot be read)")


@pytest.mark.parametrize("name", ["a", "a.npz"])
def test_a_link_to_itself_is_no_domain(tmp_path, name):
    (tmp_path / name).symlink_to(name)
    assert_refused(tmp_path / name, f"{name}: ")


def test_a_link_to_raw_data_may_be_the_path_of_a_domain(cohort, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(cohort)
    assert len(read_lung(link).images) == 3
    path = tmp_path / "link.npz"
    path.symlink_to(write_medmnist(cohort / "some.npz"))
    assert len(read_lung(path, Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 255.0))).images) == 8


def test_a_link_inside_the_folder_is_followed(cohort):
    (cohort / "b.nii.gz").symlink_to("bob.nii.gz")
    write_manifest(cohort, [ROWS[0], ROWS[1] | {"image": "b.nii.gz"}])
    assert len(read_lung(cohort).images) == 2


@pytest.mark.parametrize("name", ["ann.nii.gz", "manifest.csv"])
def test_a_pipe_in_a_cohort_is_refused_at_once(cohort, name):
    make_pipe(cohort / name)
    found = run_limited(partial(read_lung, cohort), seconds=10)
    assert f"{name}: is a pipe, a socket or a device, expected a file" in found


def test_a_broken_link_in_place_of_a_manifest_is_named(cohort):
    (cohort / "manifest.csv").unlink()
    (cohort / "manifest.csv").symlink_to("gone.csv")
    assert_refused(cohort, "manifest.csv: is missing, expected a file")


@pytest.mark.parametrize("name", ["data.npy", "labels.npy", "groups.npy"])
def test_a_broken_link_in_place_of_an_array_is_named(tmp_path, name):
    folder = write_arrays(tmp_path / "a", groups=np.arange(4))
    (folder / name).unlink()
    (folder / name).symlink_to("gone.npy")
    assert_refused(folder, f"{name}: is missing, expected a file")


@pytest.mark.parametrize("name", ["data.npy", "labels.npy", "groups.npy"])
def test_a_pipe_in_place_of_an_array_is_refused_at_once(tmp_path, name):
    folder = write_arrays(tmp_path / "a")
    make_pipe(folder / name)
    found = run_limited(partial(read_lung, folder), seconds=10)
    assert found == f"{folder / name}: is a pipe, a socket or a device, expected a file"


def test_a_pipe_in_place_of_a_medmnist_file_is_refused_at_once(tmp_path):
    make_pipe(tmp_path / "some.npz")
    found = run_limited(partial(read_lung, tmp_path), seconds=10)
    assert found.endswith("some.npz: is a pipe, a socket or a device, expected a file")


@pytest.mark.parametrize("name", ["data.npy", "labels.npy", "groups.npy"])
def test_an_array_that_claims_54_terabytes_is_refused_at_once(tmp_path, name):
    folder = write_arrays(tmp_path / "a", groups=np.arange(4))
    path = folder / name
    content = path.read_bytes()
    start, end = content.index(b"'shape': ("), content.index(b"\n")
    claim = b"'shape': (1000000, 300, 300, 150), }"
    path.write_bytes(content[:start] + claim.ljust(end - start) + content[end:])
    found = run_limited(partial(read_lung, folder), seconds=10)
    assert f"{name}: is cut short, has" in found


@pytest.mark.parametrize("character", [0xD800, 0x0A000063])
@pytest.mark.parametrize("name", ["labels", "groups"])
def test_text_that_is_not_unicode_is_refused(tmp_path, name, character):
    codes = np.array([97, 98, character, 97], np.uint32)
    folder = write_arrays(tmp_path / "a", **{name: codes.view("U1")})
    assert_refused(folder, f"{name}.npy: has text that is not Unicode")


def test_an_array_that_is_an_archive_is_refused(tmp_path):
    folder = write_arrays(tmp_path / "a")
    (folder / "labels.npy").unlink()
    write_medmnist(folder / "labels.npz").rename(folder / "labels.npy")
    assert_refused(folder, "labels.npy: cannot be read as an array")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_number_that_float32_does_not_have_is_refused_in_arrays(tmp_path, value):
    data = np.random.default_rng(0).random((4, 8, 8, 8))
    data[2, 3, 3, 3] = value
    folder = write_arrays(tmp_path / "a", data=data)
    assert_refused(folder, "data.npy:2 has NaN, infinity or numbers beyond float32")
    images = np.moveaxis(data[:2, ..., None], -1, 0)[0]
    images[1, 3, 3, 3] = value
    path = write_medmnist(tmp_path / "some.npz", val_images=images)
    assert_refused(path, "val:1 has NaN, infinity or numbers beyond float32")


@pytest.mark.parametrize("cell", ["nan", "inf", "1e308", "-1e7"])
@pytest.mark.parametrize("column", ["x", "y", "z", "diameter_mm"])
def test_a_number_of_a_row_that_no_scan_has_is_refused(cohort, column, cell):
    rows = with_cells("diameter_mm", ["1", "2", "3"])
    write_manifest(cohort, [rows[0], rows[1] | {column: cell}, rows[2]])
    assert_refused(cohort, f"manifest.csv:3: {column} is '{cell}', expected a number, at most 1e")


def test_nan_outside_the_patch_is_no_fault(cohort):
    expected = read_lung(cohort).images
    for name in ("ann", "bob"):
        path = cohort / f"{name}.nii.gz"
        voxels = nibabel.load(path).get_fdata(dtype=np.float32)
        voxels[0] = np.nan
        write_nifti(path, voxels)
    assert np.array_equal(read_lung(cohort).images, expected)


def test_one_of_several_labels_must_be_named(cohort):
    labels = np.zeros((20, 24, 20), np.uint8)
    labels[6:14, 8:16, 5:13] = 1
    labels[9:12, 12, 9] = 2
    write_nifti(cohort / "mask.nii.gz", labels)
    masked = ANN | {"label": "benign", "mask": "mask.nii.gz"}
    write_manifest(cohort, [masked, ROWS[1]])
    message = "has the labels 1, 2, expected the column segment to name one of them"
    assert_refused(cohort, f"manifest.csv:2: .*mask.nii.gz: {message}")

    rows = [masked | {"segment": "2"}, ROWS[1] | {"diameter_mm": "3"}]
    write_manifest(cohort, rows)
    domain = read_lung(cohort)
    assert np.isclose(domain.index["size"][0], (6 * 6 / np.pi) ** (1 / 3), atol=0.01)  # 6 mm³
    assert domain.masks[0].sum() == 6


def test_a_series_of_a_nifti_is_refused(cohort):
    write_manifest(cohort, [ROWS[0] | {"series": "1"}, ROWS[1]])
    message = "ann.nii.gz: is no DICOM, expected the column series to be empty"
    assert_refused(cohort, f"manifest.csv:2: .*{message}")


def test_real_adrenal_shapes_have_their_published_counts():
    path = SHARED / "adrenal" / "adrenalmnist3d.npz"
    if not path.is_file():
        pytest.skip(f"no real data at {path}: set GRAFT_SHARED_DATA to try it")
    grid = Grid((28, 28, 28), (1.0, 1.0, 1.0), (0.0, 255.0))
    index = read_domain(path, "adrenal", ["normal", "mass"], grid).index
    counts = index.groupby(["split", "label"]).size().to_dict()
    assert counts == {
        ("train", "normal"): 929,
        ("train", "mass"): 259,
        ("validation", "normal"): 76,
        ("validation", "mass"): 22,
        ("test", "normal"): 229,
        ("test", "mass"): 69,
    }
