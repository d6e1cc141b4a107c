import csv
import os
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from graft.common.files import InputError
from graft.data.domain import Domain, Grid
from graft.ingest.pseudonyms import pseudonym
from graft.ingest.settings import PseudonymKey
from tests.raw import read_domain

SHARED = Path(os.environ.get("GRAFT_SHARED_DATA") or Path(__file__).parents[3] / "shared" / "data")
CLASSES = ["benign", "malignant"]
GRID = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 1.0))
AFFINE = np.array([[-2.0, 0, 0, 30], [0, 1, 0, -10], [0, 0, 1, 5], [0, 0, 0, 1]])
ROWS = [  # voxel (10, 12, 9) is (10, 2, 14) mm, and voxel (8, 15, 12) is (14, 5, 17) mm
    {"patient": "ann", "image": "ann.nii.gz", "label": "benign", "x": "10", "y": "2", "z": "14"},
    {"patient": "bob", "image": "bob.nii.gz", "label": "malignant", "x": "14", "y": "5", "z": "17"},
    {"patient": "ann", "image": "ann.nii.gz", "label": "malignant", "x": "14", "y": "5", "z": "17"},
]


def write_manifest(folder: Path, rows: list[dict[str, str]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows(rows)


@pytest.fixture
def cohort(tmp_path) -> Path:
    """Two volumes of 20 x 24 x 20 voxels, and a manifest of three lesions."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("ann", "bob"):
        nibabel.save(
            nibabel.Nifti1Image(rng.random((20, 24, 20), np.float32), AFFINE),
            folder / f"{name}.nii.gz",
        )
    write_manifest(folder, ROWS)
    return folder


def write_arrays(folder: Path, **arrays: np.ndarray) -> Path:
    good = {
        "data": np.random.default_rng(0).random((4, 8, 8, 8), np.float32),
        "labels": np.array([0, 1, 0, 1]),
    }
    folder.mkdir(exist_ok=True)
    for name, array in (good | arrays).items():
        np.save(folder / f"{name}.npy", array)
    return folder


def write_medmnist(path: Path, size: tuple[int, ...] = (8, 8, 8), **arrays: np.ndarray) -> Path:
    rng = np.random.default_rng(0)
    good = {}
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        good[f"{part}_images"] = rng.integers(0, 256, (count, *size), np.uint8)
        good[f"{part}_labels"] = np.arange(count, dtype=np.uint8)[:, None] % 2
    np.savez_compressed(path, **(good | arrays))
    return path


def read(path: Path, grid: Grid = GRID) -> Domain:
    return read_domain(path, "lung", CLASSES, grid)


def fails(path: Path, message: str, grid: Grid = GRID) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(path, grid)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_manifest_gives_a_patch_a_row_in_its_order(cohort):
    domain = read(cohort)
    index = domain.index
    assert domain.images.shape == (3, 1, 8, 8, 8) and domain.images.dtype == np.float16
    assert list(index["label"]) == ["benign", "malignant", "malignant"]
    assert list(index["origin"]) == ["manifest.csv:2", "manifest.csv:3", "manifest.csv:4"]
    assert index["patient"][0] == index["patient"][2] != index["patient"][1]
    assert not index["patient"].isin(["ann", "bob"]).any()
    write_manifest(cohort, [ROWS[2], ROWS[0], ROWS[1]])
    assert np.array_equal(read(cohort).images, domain.images[[2, 0, 1]])


def test_frames_and_masks_name_the_same_place(cohort):
    ras = read(cohort)
    mask = np.zeros((20, 24, 20), np.uint8)
    mask[9:12, 12, 9] = 1  # centroid (10, 12, 9), as the first row; 3 voxels of 2 mm³
    nibabel.save(nibabel.Nifti1Image(mask, AFFINE), cohort / "mask.nii.gz")
    write_manifest(
        cohort,
        [
            {**ROWS[0], "x": "", "y": "", "z": "", "mask": "mask.nii.gz"},
            {**ROWS[1], "x": "-14", "y": "-5", "frame": "lps", "diameter_mm": "4.5"},
            {**ROWS[2], "x": "8", "y": "15", "z": "12", "frame": "voxel", "diameter_mm": "7"},
        ],
    )
    domain = read(cohort)
    assert np.allclose(domain.images, ras.images, atol=1e-3)
    assert domain.preprocessing["size"] == "diameter in mm"
    assert list(domain.index["size"]) == [2.25, 4.5, 7]  # (6 · 6 / π)^(1/3) = 2.2545
    assert ras.masks is None and domain.masks.shape == (3, 8, 8, 8)
    assert (
        domain.masks[0].sum() == 6 and not domain.masks[1:].any()
    )  # 3 voxels of 2 mm³, on a grid of 1 mm


def test_a_mask_is_cut_where_its_image_is(cohort):
    voxels = np.random.default_rng(0).random((20, 24, 20), np.float32) / 4
    voxels[9:12, 11:15, 8:11] = 1
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), cohort / "ann.nii.gz")
    nibabel.save(
        nibabel.Nifti1Image((voxels == 1).astype(np.uint8), AFFINE), cohort / "mask.nii.gz"
    )
    write_manifest(cohort, [{**ROWS[0], "x": "11", "mask": "mask.nii.gz"}, ROWS[1]])
    domain = read(cohort)
    mask, image = domain.masks[0] == 1, domain.images[0, 0]
    assert mask.sum() == 72  # mm³, 36 voxels of 2 mm³
    assert mask[image > 0.7].all() and image[mask].mean() > 0.6 > 0.25 > image[~mask].mean()


@pytest.mark.parametrize("suffix", (".mha", ".nrrd", ".nhdr", ".mhd", ".nii"))
def test_formats_give_the_same_patch(cohort, suffix):
    expected = read(cohort).images
    for name in ("ann", "bob"):
        SimpleITK.WriteImage(
            SimpleITK.ReadImage(cohort / f"{name}.nii.gz"), cohort / f"{name}{suffix}"
        )
    write_manifest(
        cohort, [{**row, "image": row["image"].replace(".nii.gz", suffix)} for row in ROWS]
    )
    assert np.allclose(read(cohort).images, expected, atol=1e-3)


def test_without_a_diameter_size_counts_voxels(cohort):
    domain = read(cohort)
    assert "voxels" in domain.preprocessing["size"]
    assert domain.index["size"][0] == (domain.images[0] > 0).sum()


def test_a_manifest_gives_two_dimensions(cohort):
    assert read(cohort, Grid((8, 6), (1.0, 1.0), (0.0, 1.0))).images.shape == (3, 1, 8, 6)


ROW_FAULTS = [
    ({"label": "unclear"}, "manifest.csv:3: label is 'unclear', expected one of benign, malignant"),
    ({"patient": " "}, "manifest.csv:3: patient is empty"),
    ({"z": ""}, "manifest.csv:3: z is empty, expected a number"),
    ({"x": "", "y": "", "z": ""}, "manifest.csv:3: gives no position"),
    ({"y": "left"}, "manifest.csv:3: y is 'left', expected a number"),
    ({"y": "nan"}, "manifest.csv:3: y is 'nan', expected a number"),
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
    (
        {"patient": "ann", **{key: ROWS[0][key] for key in ("image", "x", "y", "z")}},
        "repeats the lesion of line 2",
    ),
]


@pytest.mark.parametrize(
    "change, message", ROW_FAULTS, ids=[message[:60] for _, message in ROW_FAULTS]
)
def test_a_row_that_cannot_be_used_is_named(cohort, change, message):
    shape = (20, 24, 20)
    volumes = {
        "4d": np.ones((*shape, 2)),
        "nan": np.full(shape, np.nan),
        "flat": np.full(shape, 0.5),
    }
    for name, voxels in {
        **volumes,
        "empty": np.zeros(shape),
        "shifted": np.ones((20, 24, 21)),
    }.items():
        nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), AFFINE), cohort / f"{name}.nii")
    (cohort / "broken.nii.gz").write_bytes((cohort / "bob.nii.gz").read_bytes()[:-20])
    (cohort.parent / "out.nii.gz").write_bytes((cohort / "bob.nii.gz").read_bytes())
    (cohort / "link.nii.gz").symlink_to(cohort.parent / "out.nii.gz")
    write_manifest(cohort, [ROWS[0], ROWS[1] | change, ROWS[2]])
    fails(cohort, message)


@pytest.mark.parametrize(
    "cell, message", (("-4", "is -4, expected more"), ("", "is empty"), ("4 mm", "is '4 mm'"))
)
def test_a_diameter_that_is_none_is_named(cohort, cell, message):
    write_manifest(
        cohort,
        [row | {"diameter_mm": cells} for row, cells in zip(ROWS, ("5", cell, "7"), strict=True)],
    )
    fails(cohort, f"manifest.csv:3: diameter_mm {message}")


@pytest.mark.parametrize("column", ("patient", "label", "y"))
def test_a_missing_column_is_named(cohort, column):
    write_manifest(
        cohort, [{key: cell for key, cell in row.items() if key != column} for row in ROWS]
    )
    fails(cohort, f"manifest.csv: has no column {column}, expected")


@pytest.mark.parametrize(
    "content, message",
    (
        (b"", "manifest.csv: has no column"),
        (b"patient,image,label,x,y,z\n", "has no rows"),
        (b"patient,image,label,x,y,z\nann,a.nii\n", "manifest.csv:2: has 2 cells, expected 6"),
        (b"patient,image,label,x,y,z,x\n", "has a column twice"),
        (b"patient,image,label,x,y,z\n\xff\n", "in UTF-8"),
    ),
)
def test_a_manifest_that_is_no_table_is_refused(cohort, content, message):
    (cohort / "manifest.csv").write_bytes(content)
    fails(cohort, message)


def test_a_patient_in_two_given_splits_and_a_class_without_patients_are_refused(cohort):
    write_manifest(
        cohort,
        [
            row | {"split": split}
            for row, split in zip(ROWS, ("train", "test", "test"), strict=True)
        ],
    )
    fails(
        cohort,
        "one patient is in two given splits, 'train' at manifest.csv:2 and 'test' at manif",
    )
    write_manifest(cohort, ROWS[1:])
    fails(cohort, "no patient has the label 'benign'")


def test_arrays_are_windowed_padded_cropped_and_counted(tmp_path, capsys):
    data = np.zeros((2, 6, 8, 10))
    data[0, 1, 2, 3], data[1, 5, 7, 5] = 50, 300
    folder = write_arrays(
        tmp_path / "a", data=data, labels=np.array(CLASSES), groups=np.array(["ann", "bob"])
    )
    domain = read(folder, Grid((8, 8, 8), (1.0, 1.0, 1.0), (-100.0, 100.0)))
    assert "arrays have no spacing" in capsys.readouterr().out
    expected = np.zeros((2, 1, 8, 8, 8), np.float16)
    expected[:, 0, 1:7] = 0.5  # 0 lies in the middle of the window; padding is its floor
    expected[0, 0, 2, 2, 2], expected[1, 0, 6, 7, 4] = 0.75, 1
    assert np.array_equal(domain.images, expected)
    assert list(domain.index["size"]) == [480, 480] and domain.preprocessing["spacing"] is None


def test_arrays_may_have_channels_and_two_dimensions(tmp_path):
    data = np.random.default_rng(0).random((4, 3, 10, 12))
    domain = read(write_arrays(tmp_path / "a", data=data), Grid((8, 8), (1.0, 1.0), (0.0, 1.0)))
    assert np.allclose(domain.images, data[:, :, 1:9, 2:10], atol=1e-3)
    assert domain.index["patient"].nunique() == 4


ARRAY_FAULTS = [
    (
        {"data": np.array([{}, {}], object)},
        r"data.npy: cannot be read as an array \(it contains pickled objects\), expected a whole",
    ),
    (
        {"labels": np.array([{}, {}], object)},
        r"labels.npy: cannot be read as an array \(it contains pickled objects\)",
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


@pytest.mark.parametrize(
    "change, message", ARRAY_FAULTS, ids=[message[:60] for _, message in ARRAY_FAULTS]
)
def test_arrays_that_cannot_be_used_are_refused(tmp_path, change, message):
    fails(write_arrays(tmp_path / "a", **change), message)


def test_an_array_cut_short_or_missing_is_refused(tmp_path):
    folder = write_arrays(tmp_path / "a")
    (folder / "data.npy").write_bytes((folder / "data.npy").read_bytes()[:-1])
    fails(folder, "data.npy: cannot be read")
    (folder / "data.npy").unlink()
    fails(folder, "data.npy: is missing")


@pytest.mark.parametrize(
    "size, patch, shape",
    (
        ((8, 8, 8), (8, 8, 8), (1, 8, 8, 8)),
        ((8, 8), (8, 8), (1, 8, 8)),
        ((8, 8, 3), (8, 8), (3, 8, 8)),
    ),
)
def test_medmnist_keeps_its_official_split(tmp_path, size, patch, shape):
    path = write_medmnist(tmp_path / "some.npz", size)
    for place in (path, tmp_path):
        domain = read(place, Grid(patch, (1.0,) * len(patch), (0.0, 255.0)))
        assert domain.images.shape == (8, *shape)
        assert list(domain.index["split"]) == ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    first = np.load(path)["train_images"][0] / 255
    assert np.allclose(
        domain.images[0], np.moveaxis(first, -1, 0) if shape[0] == 3 else first[None], atol=1e-3
    )


MEDMNIST_FAULTS = [
    ({"val_labels": np.array([{}, {}], object)}, "cannot be read as arrays without pickle"),
    ({"val_labels": np.zeros((3, 1), int)}, "val has 2 images and 3 labels"),
    ({"val_labels": np.full((2, 1), 7)}, "val_labels: row 0 is 7, expected one of 0, 1"),
    ({"val_labels": np.zeros((2, 14), int)}, "val_labels: has the shape"),
    (
        {"val_images": np.ones((2, 8, 8))},
        r"val_images has the shape \(2, 8, 8\), expected 3 numbers",
    ),
    ({"val_images": np.ones((2, 8, 8, 7))}, "its parts have images of"),
]


@pytest.mark.parametrize(
    "change, message", MEDMNIST_FAULTS, ids=[message for _, message in MEDMNIST_FAULTS]
)
def test_a_medmnist_file_that_cannot_be_used_is_refused(tmp_path, change, message):
    fails(write_medmnist(tmp_path / "some.npz", **change), message)


def test_a_medmnist_file_cut_short_or_of_another_kind_is_refused(tmp_path):
    path = write_medmnist(tmp_path / "some.npz")
    path.write_bytes(path.read_bytes()[:-30])
    fails(path, "cannot be read as arrays")
    np.savez(path, x=np.ones(3))
    fails(path, "train_images is not a file in the archive, expected the arrays of a MedMNIST file")


def test_a_folder_of_no_form_or_of_two_is_refused(tmp_path, cohort):
    fails(tmp_path / "gone", "is missing")
    fails(tmp_path, "contains none of these, expected one form of raw data")
    write_arrays(cohort)
    fails(cohort, "contains manifest and arrays, expected one form")


def test_pseudonyms_are_keyed_and_the_key_is_asked_for(cohort, monkeypatch, capsys):
    public = read(cohort).index["patient"]
    assert "GRAFT_PATIENT_KEY is not set" in capsys.readouterr().out
    monkeypatch.setenv("GRAFT_PATIENT_KEY", "Jefe")
    keyed = read(cohort).index["patient"]
    assert capsys.readouterr().out == ""
    assert not keyed.isin(public).any() and all(
        re.fullmatch("[0-9a-f]{16}", name) for name in keyed
    )
    # RFC 4231, test case 2
    assert pseudonym("what do ya want for nothing?", "Jefe") == "5bdcc146bf60754e"


def test_the_key_may_lie_in_a_file_outside_and_the_environment_wins(
    cohort, monkeypatch, capsys, tmp_path
):
    def named(variable: str = "OUR_KEY", file: str | None = str(tmp_path / "key")) -> list[str]:
        return list(
            read_domain(
                cohort,
                "lung",
                CLASSES,
                GRID,
                key=PseudonymKey(key_variable=variable, key_file=file),
            ).index["patient"]
        )

    (tmp_path / "key").write_text("Jefe\n")
    in_file = named()
    monkeypatch.setenv("OUR_KEY", "Jefe")
    assert (
        named()
        == named(file=None)
        == in_file
        == [pseudonym(row["patient"], "Jefe") for row in ROWS]
    )
    monkeypatch.setenv("OUR_KEY", "another")
    assert named() != in_file and capsys.readouterr().out == ""
    monkeypatch.delenv("OUR_KEY")
    assert named(file=None) == list(read(cohort).index["patient"])
    assert "lung: OUR_KEY is not set" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content, message",
    (
        (b" \n", "is empty, expected a line with the key"),
        (b"\xff", "cannot be read .it is not UTF-8."),
        (None, "No such file"),
    ),
)
def test_a_file_without_a_key_is_refused(cohort, tmp_path, monkeypatch, content, message):
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    key = PseudonymKey(key_variable="GRAFT_PATIENT_KEY", key_file=str(tmp_path / "key"))
    with pytest.raises(InputError, match=f"privacy.key_file: .*key.*{message}"):
        read_domain(cohort, "lung", CLASSES, GRID, key=key)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="lies in this folder, expected one outside"):
        read_domain(cohort, "lung", CLASSES, GRID, key=key)


def test_dicom_series_and_segments_are_named_by_columns(cohort, write_series):
    def numbered(number: int):
        def change(made, k):
            made.SeriesNumber, made.SeriesInstanceUID = number, f"2.25.{number}"

        return change

    grid = Grid((4, 4, 4), (1.0, 1.0, 1.0), (-2000.0, 2000.0))
    for number in (2, 5):
        line = (1, -1000 - 20 * number)
        write_series(
            cohort / "disc" / str(number),
            change=numbered(number),
            rescale=lambda k, line=line: line,
        )
    at = {"x": "28", "y": "17", "z": "107"}
    rows = [
        {**ROWS[k], "image": "disc", "patient": "cy", **at, "series": str(n)}
        for k, n in ((0, 2), (1, 5), (2, 2))
    ]
    rows[2] |= {"x": "27"}
    write_manifest(cohort, rows)
    images = read(cohort, grid).images[:, 0].astype(float) * 4000
    assert np.allclose(images[0] - images[1], 60, atol=3)
    write_manifest(cohort, [row | {"series": ""} for row in rows[1:]])
    fails(cohort, "manifest.csv:[23]: .*disc: contains 2 series, expected the column series", grid)
    write_manifest(cohort, [rows[0], rows[1] | {"patient": "di", "image": "disc/5", "series": ""}])
    fails(cohort, "manifest.csv:3: 5 belongs to another patient on line 2", grid)
    write_manifest(cohort, [rows[0] | {"segment": "first"}, rows[1]])
    fails(cohort, "manifest.csv:2: segment is 'first', expected the number of a segment", grid)
    write_manifest(cohort, [ROWS[0] | {"segment": "1", "mask": "bob.nii.gz"}, ROWS[1]])
    fails(
        cohort,
        "manifest.csv:2: .*bob.nii.gz: is no DICOM SEG, expected the column segment to be empty",
    )
    write_manifest(cohort, [ROWS[0] | {"series": "1"}, ROWS[1]])
    fails(
        cohort, "manifest.csv:2: .*ann.nii.gz: is no DICOM, expected the column series to be empty"
    )


def test_a_reader_that_takes_its_process_with_it_is_one_line(cohort, monkeypatch):
    monkeypatch.setattr("graft.ingest.volumes.read_volume", lambda *_: os._exit(1))
    fails(
        cohort,
        "manifest.csv: a process that read volumes ended: one is damaged, or memory ran out",
    )


def test_real_adrenal_shapes_are_read():
    path = SHARED / "adrenal" / "adrenalmnist3d.npz"
    if not path.is_file():
        pytest.skip(f"no real data at {path}: set GRAFT_SHARED_DATA to try it")
    index = read_domain(
        path, "adrenal", ["normal", "mass"], Grid((28, 28, 28), (1.0, 1.0, 1.0), (0.0, 255.0))
    ).index
    counts = index.groupby(["split", "label"]).size().to_dict()
    published = {
        ("train", "normal"): 929,
        ("train", "mass"): 259,
        ("test", "normal"): 229,
        ("test", "mass"): 69,
    }
    assert counts == published | {("validation", "normal"): 76, ("validation", "mass"): 22}
