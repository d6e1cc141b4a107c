import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from graft.common.files import InputError
from graft.data.domain import Domain, Grid
from tests.raw import read_domain

CLASSES = ["benign", "malignant"]
GRID = Grid((8, 8), (1.0, 1.0), (0.0, 255.0))
GREY = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
ALPHA = np.full((8, 8), 255, np.uint8)


def save(path: Path, pixels: np.ndarray | Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two grey pictures of each class, of two patients."""
    rng = np.random.default_rng(2)
    for label in CLASSES:
        for patient in ("P1", "P2"):
            save(
                tmp_path / "raw" / label / f"{patient}_{label}.png",
                rng.integers(0, 256, (8, 8), np.uint8),
            )
    return tmp_path / "raw"


def read(path: Path, grid: Grid = GRID, pattern: str | None = None) -> Domain:
    return read_domain(path, "liver", CLASSES, grid, patient_pattern=pattern)


def fails(path: Path, message: str, grid: Grid = GRID, pattern: str | None = None) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(path, grid, pattern)
    assert "\n" not in str(caught.value)


def first(
    folder: Path,
    suffix: str,
    pixels: np.ndarray | Image.Image,
    grid: Grid = GRID,
    **options: object,
) -> np.ndarray:
    """The image (C, 8, 8) of a file that is alone in its class, with a copy in the other."""
    shutil.rmtree(folder)
    for label in CLASSES:
        save(folder / label / f"a{suffix}", pixels, **options)
    return read(folder, grid).images[0]


def test_pictures_come_by_class_and_name_and_their_names_stay_behind(folder, capsys):
    (folder / "benign" / ".DS_Store").write_bytes(b"x")
    (folder / "Thumbs.db").write_bytes(b"x")
    domain = read(folder)
    out = capsys.readouterr().out
    assert "2 hidden files skipped" in out and "each picture counts as a patient" in out
    assert domain.images.shape == (4, 1, 8, 8) and domain.images.dtype == np.float16
    assert list(domain.index["origin"]) == ["benign#1", "benign#2", "malignant#1", "malignant#2"]
    assert domain.index["patient"].nunique() == 4
    assert domain.index["size"][0] == (domain.images[0] > 0).sum()
    assert "P1" not in domain.index.to_csv() and domain.preprocessing["spacing"] is None


def test_a_pattern_finds_the_patients_and_each_name_must_have_one(folder):
    index = read(folder, pattern=r"^(P\d+)_").index
    assert index["patient"][0] == index["patient"][2] != index["patient"][1]
    save(folder / "malignant" / "nobody.png", GREY)
    fails(
        folder,
        r"malignant/nobody.png: has a name in which patient_pattern '.*' matches no patient",
        pattern=r"^(P\d+)_",
    )
    for other in ("data.npy", "labels.npy"):
        np.save(folder.parent / other, np.zeros((2, 8, 8)))
    shutil.rmtree(folder)
    fails(folder.parent, "liver.patient_pattern: got '.P.', expected null", pattern="(P)")


@pytest.mark.parametrize("validation", ("val", "valid", "validation"))
def test_folders_over_the_classes_are_the_given_splits(folder, validation):
    for part in ("train", validation, "test"):
        for label in CLASSES:
            shutil.copytree(folder / label, folder.parent / "parts" / part / label)
    index = read(folder.parent / "parts").index
    assert list(index["split"]) == ["train"] * 4 + ["validation"] * 4 + ["test"] * 4
    assert index["origin"][5] == f"{validation}/benign#2"
    fails(
        folder.parent / "parts",
        "one patient is in two given splits, 'train' at train/benign#1",
        pattern=r"^(P\d+)_",
    )


@pytest.mark.parametrize("suffix", (".png", ".tif", ".bmp", ".TIFF"))
def test_grey_and_colour_keep_their_pixels(folder, suffix):
    assert np.allclose(first(folder, suffix, GREY)[0], GREY / 255, atol=1e-3)
    assert np.allclose(first(folder, suffix, COLOUR), np.moveaxis(COLOUR, -1, 0) / 255, atol=1e-3)


def test_palette_alpha_and_two_levels_are_read_as_they_look(folder):
    palette = Image.fromarray(COLOUR).quantize(16)
    look = np.asarray(palette.convert("RGB")) / 255
    assert np.allclose(first(folder, ".png", palette), np.moveaxis(look, -1, 0), atol=1e-3)
    assert np.allclose(first(folder, ".png", np.dstack([GREY, ALPHA]))[0], GREY / 255, atol=1e-3)
    assert np.allclose(
        first(folder, ".png", np.dstack([COLOUR, ALPHA])),
        np.moveaxis(COLOUR, -1, 0) / 255,
        atol=1e-3,
    )
    assert np.array_equal(first(folder, ".png", Image.fromarray(GREY > 99))[0], GREY > 99)
    assert first(folder, ".png", np.dstack([GREY] * 3)).shape == (
        1,
        8,
        8,
    )  # stored as RGB, and grey


@pytest.mark.parametrize(
    "suffix, options", ((".png", {}), (".tif", {}), (".tif", {"compression": "tiff_deflate"}))
)
def test_sixteen_bits_are_kept_in_grey_and_in_colour(folder, suffix, options):
    grid = Grid((8, 8), (1.0, 1.0), (1000.0, 1256.0))  # finer than 8 bits of 65,536 can tell
    assert np.allclose(
        first(folder, suffix, GREY + np.uint16(1000), grid, **options)[0], GREY / 256, atol=1e-3
    )
    for label in CLASSES:
        colour = SimpleITK.GetImageFromArray(COLOUR + np.uint16(1000), isVector=True)
        SimpleITK.WriteImage(colour, folder / label / f"a{suffix}", bool(options))
    assert np.allclose(read(folder, grid).images[0], np.moveaxis(COLOUR, -1, 0) / 256, atol=1e-3)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize(
    "suffix, options",
    ((".jpg", {"quality": 100}), (".png", {}), (".tif", {}), (".tif", {"compression": "tiff_lzw"})),
)
def test_a_picture_stands_as_its_exif_says(folder, suffix, options, turn):
    wide = np.kron(GREY[:4], np.ones((8, 8))).astype(np.uint8)  # 32 x 64, in blocks that JPEG keeps
    shown = {
        1: wide,
        2: wide[:, ::-1],
        3: wide[::-1, ::-1],
        4: wide[::-1],
        5: wide.T,
        6: np.rot90(wide, -1),
        7: np.rot90(wide, 2).T,
        8: np.rot90(wide),
    }[turn]
    options = (
        {**options, "tiffinfo": {274: turn}}
        if suffix == ".tif"
        else {**options, "exif": exif(turn)}
    )
    found = first(folder, suffix, wide, Grid(shown.shape, (1.0, 1.0), (0.0, 255.0)), **options)
    assert np.allclose(found[0], shown / 255, atol=0.02)


def exif(turn: int) -> Image.Exif:
    tags = Image.Exif()
    tags[274] = turn
    return tags


def test_the_shorter_side_is_resized_with_antialiasing_and_the_middle_kept(folder):
    stripes = np.zeros((32, 48), np.uint8)
    stripes[:, ::2] = 200  # finer than the patch: antialiasing gives their mean
    stripes[:16] //= 2
    stripes[:, :6] = stripes[:, 42:] = (
        255  # further from the middle 32 x 32 than the filter reaches into it
    )
    found = first(folder, ".png", stripes)[0]  # (8, 8)
    assert np.allclose(found[:3, 1:-1], 50 / 255, atol=0.01) and np.allclose(
        found[5:, 1:-1], 100 / 255, atol=0.01
    )
    whole = Image.fromarray(stripes.astype(np.float32) / 255).resize(
        (12, 8), Image.Resampling.BILINEAR
    )
    assert np.allclose(found, np.asarray(whole)[:, 2:10], atol=1e-3)


def test_grey_pictures_are_repeated_beside_colour(folder, capsys):
    save(folder / "benign" / "z.png", COLOUR)
    domain = read(folder)
    assert "4 of 5 pictures are grey, and repeated in 3 channels" in capsys.readouterr().out
    assert domain.images.shape == (5, 3, 8, 8) and np.array_equal(
        domain.images[0, 0], domain.images[0, 2]
    )


def broken(folder: Path) -> None:
    content = save(
        folder / "benign" / "z.jpg", np.kron(GREY, np.ones((20, 20))).astype(np.uint8)
    ).read_bytes()
    (folder / "benign" / "z.jpg").write_bytes(content[: len(content) // 2])


def spoilt(folder: Path) -> None:
    content = bytearray(save(folder / "benign" / "z.png", COLOUR).read_bytes())
    content[len(content) // 2] ^= 4
    (folder / "benign" / "z.png").write_bytes(content)


def without_colour(image: Image.Image) -> Image.Image:
    image.info["transparency"] = 0
    return image


PICTURE_FAULTS = [
    (broken, "benign/z.jpg: cannot be read, it may be cut short"),
    (spoilt, "benign/z.png: cannot be read, it may be cut short"),
    (
        lambda f: (f / "benign/z.png").write_bytes(b"GIF89a"),
        "benign/z.png: cannot be read, expected a whole PNG, JPEG",
    ),
    (
        lambda f: (f / "benign/notes.txt").write_text("x"),
        "benign/notes.txt: is no picture, expected one of .png",
    ),
    (lambda f: (f / "benign/P3.png").mkdir(), "benign/P3.png: is a folder, expected a picture"),
    (
        lambda f: (f / "README").write_text("x"),
        "raw/README: is not the folder of a class, expected benign, malignant",
    ),
    (lambda f: (f / "benign").rename(f / "Benign"), "raw/Benign: is not the folder of a class"),
    (
        lambda f: shutil.copytree(f / "benign", f / "train" / "benign"),
        "raw/train: is not the folder of a class",
    ),
    (lambda f: shutil.rmtree(f / "benign"), "no patient has the label 'benign'"),
    (
        lambda f: (f / "benign/z.png").symlink_to(f.parent / "out.png"),
        "benign/z.png: is a link that leaves the folder",
    ),
    (
        lambda f: save(
            f / "benign/z.tif", GREY, save_all=True, append_images=[Image.fromarray(GREY)]
        ),
        "z.tif: contains 2 pictures",
    ),
    (
        lambda f: save(
            f / "benign/z.png", GREY, save_all=True, append_images=[Image.fromarray(GREY.T)]
        ),
        "z.png: contains 2 pictures",
    ),
    (
        lambda f: save(f / "benign/z.jpg", Image.fromarray(COLOUR).convert("CMYK")),
        "z.jpg: has pixels of the mode CMYK, expected",
    ),
    (
        lambda f: save(f / "benign/z.tif", Image.fromarray(GREY).convert("F")),
        "z.tif: has pixels of the mode F, expected",
    ),
    (
        lambda f: save(f / "benign/z.png", np.dstack([GREY, ALPHA // 2])),
        "z.png: is transparent in places",
    ),
    (
        lambda f: save(
            f / "benign/z.png", without_colour(Image.fromarray(GREY // 200)), transparency=0
        ),
        "z.png: is transparent",
    ),
    (
        lambda f: save(f / "benign/z.png", GREY + np.uint16(1)),
        "z.png: has 16 bits and .*P1_benign.png 8, expected one depth",
    ),
    (
        lambda f: save(f / "benign/z.tif", GREY + np.uint16(1), tiffinfo={262: 0}),
        "z.tif: has 16 bits with white as 0",
    ),
    (
        lambda f: save(f / "benign/z.png", ALPHA),
        "z.png: is 1 everywhere after the crop and the window",
    ),
]


@pytest.mark.parametrize(
    "spoil, message", PICTURE_FAULTS, ids=[message[:60] for _, message in PICTURE_FAULTS]
)
def test_a_folder_that_cannot_be_used_names_the_file(folder, spoil, message):
    save(folder.parent / "out.png", GREY)
    spoil(folder)
    fails(folder, message)


@pytest.mark.parametrize(
    "limit", (63, 20)
)  # Pillow warns of the first, and raises at twice its limit
def test_more_pixels_than_pillow_allows_are_refused(folder, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    fails(folder, f"P1_benign.png: has more than {limit} pixels, expected fewer")


def test_the_window_and_the_patch_must_be_those_of_pictures(folder):
    fails(
        folder,
        r"liver.window: got \[-1000.0, 400.0\], expected intensities from 0 to 255",
        Grid((8, 8), (1.0, 1.0), (-1000.0, 400.0)),
    )
    fails(
        folder,
        "preprocess.patch: got .8, 8, 8., expected two numbers",
        Grid((8, 8, 8), (1.0,) * 3, (0.0, 255.0)),
    )


def write_manifest(
    folder: Path, rows: list[tuple[str, ...]], columns: str = "patient,image,label,site"
) -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns.split(","), *rows])


def test_a_manifest_may_list_pictures(folder):
    expected = read(folder)
    rows = [
        (f"{n % 2}", file.relative_to(folder).as_posix(), file.parent.name, "site-a")
        for n, file in enumerate(sorted(folder.glob("*/*")))
    ]
    write_manifest(folder, rows)
    domain = read(folder)
    assert np.array_equal(domain.images, expected.images)
    assert domain.index["patient"].nunique() == 2 and set(domain.index["site"]) == {"site-a"}
    assert (
        list(domain.index["origin"])[0] == "manifest.csv:2"
        and domain.preprocessing["spacing"] is None
    )
    write_manifest(folder, [(*row, "4") for row in rows], "patient,image,label,site,diameter_mm")
    assert list(read(folder).index["size"]) == [4] * 4
    fails(folder, "liver.patient_pattern: got", pattern="(P)")


@pytest.mark.parametrize(
    "row, message",
    (
        (
            ("b", "gone.png", "benign", "", "", ""),
            "manifest.csv:3: .*gone.png: is missing, expected a picture",
        ),
        (
            ("b", "benign/P2_benign.png", "benign", "1", "2", "3"),
            "manifest.csv:3: gives a position in a picture",
        ),
        (
            ("b", "scan.nii", "benign", "1", "2", "3"),
            "manifest.csv:3: .*scan.nii: is no picture, expected one of .png",
        ),
        (
            ("b", "scan.nii", "benign", "", "", ""),
            "manifest.csv:3: gives no position, expected x, y and z, or mask",
        ),
        (
            ("b", "benign/P1_benign.png", "benign", "", "", ""),
            "manifest.csv:3: .* another patient on line 2",
        ),
        (
            ("a", "benign/P1_benign.png", "benign", "", "", ""),
            "manifest.csv:3: repeats the lesion of line 2",
        ),
    ),
)
def test_a_row_with_a_picture_that_cannot_be_used_is_named(folder, row, message):
    (folder / "scan.nii").write_bytes(b"x")
    write_manifest(
        folder,
        [("a", "benign/P1_benign.png", "malignant", "", "", ""), row],
        "patient,image,label,x,y,z",
    )
    fails(folder, message)
