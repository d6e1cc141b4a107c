import csv
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from ruamel.yaml import YAML

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.grids.grid import Grid
from tests.raw import read_domain

CLASSES = ["benign", "malignant"]
GRID = Grid((8, 8), (1.0, 1.0), (0.0, 255.0))
SIZE = (8, 8)
GREY = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
ALPHA = np.full((8, 8), 255, np.uint8)


PATIENT_PATTERN = r"^(P\d+)_"


def save(path: Path, pixels: np.ndarray | Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(pixels, Image.Image):
        pixels = Image.fromarray(pixels)
    pixels.save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two grey pictures of each class, of two patients."""
    rng = np.random.default_rng(2)
    for label in CLASSES:
        for patient in ("P1", "P2"):
            pixels = rng.integers(0, 256, (8, 8), np.uint8)
            save(tmp_path / "raw" / label / f"{patient}_{label}.png", pixels)
    return tmp_path / "raw"


def read_liver(path: Path, grid: Grid = GRID, pattern: str | None = None) -> Domain:
    return read_domain(path, "liver", CLASSES, grid, patient_pattern=pattern)


def assert_refused(path: Path, message: str, grid: Grid = GRID, pattern: str | None = None) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_liver(path, grid, pattern)
    assert "\n" not in str(caught.value)


def read_alone(
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
    return read_liver(folder, grid).images[0]


def channels_first(colour: np.ndarray) -> np.ndarray:
    return np.moveaxis(colour, -1, 0)


def test_pictures_are_ordered_by_class_and_name(folder):
    domain = read_liver(folder)
    origins = ["benign#1", "benign#2", "malignant#1", "malignant#2"]
    assert list(domain.index["origin"]) == origins
    assert domain.images.shape == (4, 1, 8, 8)
    assert domain.images.dtype == np.float16
    above_0 = domain.images[0] > 0
    assert domain.index["size"][0] == above_0.sum()
    assert domain.preprocessing["spacing"] is None


def test_files_that_are_no_pictures_are_named_and_left_out(folder, capsys):
    strays = ["Thumbs.db", "readme.txt", "benign/.DS_Store", "benign/notes.docx", "malignant/data"]
    for stray in strays:
        (folder / stray).write_bytes(b"x")
    assert len(read_liver(folder).images) == 4
    assert f"liver: 5 left out as no picture: {', '.join(strays)}\n" in capsys.readouterr().out
    (folder / "malignant/zz").write_bytes(b"x")
    read_liver(folder)
    assert f"liver: 6 left out as no picture: {', '.join(strays)}, ...\n" in capsys.readouterr().out


def test_stray_files_beside_the_parts_and_in_them_are_left_out(folder, capsys):
    parts = folder.parent / "parts"
    for part in ("train", "test"):
        shutil.copytree(folder, parts / part)
        (parts / part / "list.csv").write_text("x")
    (parts / "licence.txt").write_text("x")
    assert len(read_liver(parts).images) == 8
    out = capsys.readouterr().out
    assert "3 left out as no picture: licence.txt, test/list.csv, train/list.csv" in out


def test_what_a_pattern_matches_is_left_out(folder, capsys):
    for name in ("normal/x.png", "benign/P1_benign_mask.png", "malignant/inner/x.png"):
        save(folder / name, GREY)
    pattern = "_mask|^normal|/inner$"
    domain = read_domain(folder, "liver", CLASSES, GRID, ignore=pattern)
    assert domain.files == [
        "benign/P1_benign.png",
        "benign/P2_benign.png",
        "malignant/P1_malignant.png",
        "malignant/P2_malignant.png",
    ]
    assert (
        "3 left out by domains.liver.ignore: normal, benign/P1_benign_mask.png, "
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "mask", ["P1_benign_mask.png", "P1_benign_mask_1.png", "P1_benign_MASK.bmp"]
)
def test_the_mask_of_a_picture_is_refused_with_the_parameter_that_leaves_it_out(folder, mask):
    save(folder / "benign" / mask, GREY)
    message = (
        rf"benign/{mask}: is the mask of the picture beside it, as its name says \(1 such pictures"
        r"\), expected lesions: set domains.liver.ignore to '_mask'"
    )
    assert_refused(folder, message)


def test_the_pattern_in_a_message_keeps_what_was_ignored_before(folder):
    save(folder / "normal/x.png", GREY)
    save(folder / "benign/P1_benign_mask.png", GREY)
    for ignore, expected in (("_mask", "'_mask|^normal'"), ("^normal", "'^normal|_mask'")):
        with pytest.raises(InputError) as caught:
            read_domain(folder, "liver", CLASSES, GRID, ignore=ignore)
        assert expected in str(caught.value)


def test_a_pipe_is_no_picture(folder):
    os.mkfifo(folder / "benign/z.png")
    assert_refused(folder, "benign/z.png: is a pipe, a socket or a device, expected a file")


def test_a_link_to_itself_is_no_picture(folder):
    (folder / "benign/z.png").symlink_to("z.png")
    assert_refused(folder, "benign/z.png: cannot be read .*, expected a file")


@pytest.mark.parametrize("name", [b"J\xf6rg.png", b"two\nlines.png", b"J\xf6rg.txt"])
def test_a_name_that_cannot_be_printed_is_refused(folder, name):
    shutil.copy(folder / "benign/P1_benign.png", folder / "benign" / os.fsdecode(name))
    assert_refused(folder, r"raw: has the file name 'benign/.*, expected UTF-8 without control")


def test_a_picture_whose_name_has_mask_but_no_original_is_a_lesion(folder):
    save(folder / "benign/unmasked_mask.png", GREY)
    assert len(read_liver(folder).images) == 5


@pytest.mark.parametrize("name", ["normal (old)", "Ann's normal"])
def test_the_pattern_in_a_message_leaves_the_folder_out(folder, name):
    save(folder / name / "x.png", GREY)
    message = "normal.*: is not the folder of a class, expected benign, malignant, or train"
    with pytest.raises(InputError, match=message) as caught:
        read_liver(folder)
    value = re.search("domains.liver.ignore: ('.*')", str(caught.value))[1]
    pattern = YAML(typ="safe").load(value)
    assert len(read_domain(folder, "liver", CLASSES, GRID, ignore=pattern).images) == 4


def test_without_a_pattern_each_picture_is_a_patient_and_its_name_is_not_kept(folder, capsys):
    index = read_liver(folder).index
    assert index["patient"].nunique() == 4
    assert "P1" not in index.to_csv()
    assert "each picture counts as a patient" in capsys.readouterr().out


def test_a_pattern_finds_the_patient_in_a_name(folder):
    patients = read_liver(folder, pattern=PATIENT_PATTERN).index["patient"]
    assert patients[0] == patients[2]
    assert patients[0] != patients[1]


def test_a_name_without_a_patient_is_refused(folder):
    save(folder / "malignant" / "nobody.png", GREY)
    message = r"malignant/nobody.png: has a name in which patient_pattern '.*' matches no patient"
    assert_refused(folder, message, pattern=PATIENT_PATTERN)


def test_a_pattern_for_arrays_is_refused(tmp_path):
    for name in ("data.npy", "labels.npy"):
        np.save(tmp_path / name, np.zeros((2, 8, 8)))
    assert_refused(tmp_path, "liver.patient_pattern: got '.P.', expected null", pattern="(P)")


@pytest.mark.parametrize("validation", ("val", "valid", "validation"))
def test_folders_above_the_classes_are_the_given_splits(folder, validation):
    parts = folder.parent / "parts"
    for part in ("train", validation, "test"):
        for label in CLASSES:
            shutil.copytree(folder / label, parts / part / label)
    index = read_liver(parts).index
    assert list(index["split"]) == ["train"] * 4 + ["validation"] * 4 + ["test"] * 4
    assert index["origin"][5] == f"{validation}/benign#2"

    first = sorted((parts / "train/benign").iterdir())[0].name
    message = f"one patient is in two given splits, 'train' at train/benign/{first} and"
    assert_refused(parts, message, pattern=PATIENT_PATTERN)


@pytest.mark.parametrize("suffix", (".png", ".tif", ".bmp", ".TIFF"))
def test_grey_and_colour_pictures_keep_their_pixels(folder, suffix):
    grey = read_alone(folder, suffix, GREY)
    assert np.allclose(grey[0], GREY / 255, atol=1e-3)
    colour = read_alone(folder, suffix, COLOUR)
    assert np.allclose(colour, channels_first(COLOUR) / 255, atol=1e-3)


def test_a_palette_is_read_as_its_colours(folder):
    palette = Image.fromarray(COLOUR).quantize(16)
    colours = np.asarray(palette.convert("RGB")) / 255
    found = read_alone(folder, ".png", palette)
    assert np.allclose(found, channels_first(colours), atol=1e-3)


def test_an_opaque_alpha_channel_is_dropped(folder):
    grey = read_alone(folder, ".png", np.dstack([GREY, ALPHA]))
    assert np.allclose(grey[0], GREY / 255, atol=1e-3)
    colour = read_alone(folder, ".png", np.dstack([COLOUR, ALPHA]))
    assert np.allclose(colour, channels_first(COLOUR) / 255, atol=1e-3)


def test_a_picture_of_one_bit_is_black_and_white(folder):
    found = read_alone(folder, ".png", Image.fromarray(GREY > 99))
    assert np.array_equal(found[0], GREY > 99)


def test_grey_stored_as_rgb_has_one_channel(folder):
    found = read_alone(folder, ".png", np.dstack([GREY] * 3))
    assert found.shape == (1, 8, 8)


# 256 of the 65,536 levels of 16 bits, which 8 bits would round to one or two.
NARROW_GRID = Grid((8, 8), (1.0, 1.0), (1000.0, 1256.0))


@pytest.mark.parametrize(
    ("suffix", "options"), [(".png", {}), (".tif", {}), (".tif", {"compression": "tiff_deflate"})]
)
def test_pictures_of_16_bits_keep_their_depth(folder, suffix, options):
    grey = read_alone(folder, suffix, GREY + np.uint16(1000), NARROW_GRID, **options)
    assert np.allclose(grey[0], GREY / 256, atol=1e-3)

    colour = SimpleITK.GetImageFromArray(COLOUR + np.uint16(1000), isVector=True)
    for label in CLASSES:
        SimpleITK.WriteImage(colour, folder / label / f"a{suffix}", bool(options))
    found = read_liver(folder, NARROW_GRID).images[0]
    assert np.allclose(found, channels_first(COLOUR) / 256, atol=1e-3)


def orient(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What a viewer shows for an EXIF orientation from 1 to 8."""
    return {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).T,
        8: np.rot90(pixels),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".jpg", {"quality": 100}), (".png", {}), (".tif", {}), (".tif", {"compression": "tiff_lzw"})],
)
def test_a_picture_is_oriented_by_its_exif(folder, suffix, options, orientation):
    blocks = np.kron(GREY[:4], np.ones((8, 8)))  # (32, 64), in blocks that JPEG keeps
    stored = blocks.astype(np.uint8)
    shown = orient(stored, orientation)
    if suffix == ".tif":
        tags = {"tiffinfo": {274: orientation}}
    else:
        tags = {"exif": make_exif(orientation)}
    grid = Grid(shown.shape, (1.0, 1.0), (0.0, 255.0))
    found = read_alone(folder, suffix, stored, grid, **options, **tags)
    assert np.allclose(found[0], shown / 255, atol=0.02)


def make_exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[274] = orientation
    return tags


def test_the_shorter_side_is_resized_with_antialiasing_and_the_middle_is_kept(folder):
    stripes = np.zeros((32, 48), np.uint8)
    stripes[:, ::2] = 200  # finer than the patch: antialiasing gives their mean
    stripes[:16] //= 2
    # White beside the middle 32 x 32, farther away than the filter reaches.
    stripes[:, :6] = 255
    stripes[:, 42:] = 255

    found = read_alone(folder, ".png", stripes)[0]  # (8, 8)

    assert np.allclose(found[:3, 1:-1], 50 / 255, atol=0.01)
    assert np.allclose(found[5:, 1:-1], 100 / 255, atol=0.01)
    picture = Image.fromarray(stripes.astype(np.float32) / 255)
    whole = picture.resize((12, 8), Image.Resampling.BILINEAR)
    assert np.allclose(found, np.asarray(whole)[:, 2:10], atol=1e-3)


def test_grey_pictures_get_three_channels_if_another_has_colour(folder, capsys):
    save(folder / "benign/z.png", COLOUR)
    images = read_liver(folder).images
    assert "4 of 5 pictures are grey, and repeated in 3 channels" in capsys.readouterr().out
    assert images.shape == (5, 3, 8, 8)
    assert np.array_equal(images[0, 0], images[0, 2])


def save_half_a_jpeg(folder: Path) -> None:
    large = np.kron(GREY, np.ones((20, 20))).astype(np.uint8)
    path = save(folder / "benign" / "z.jpg", large)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def save_a_damaged_png(folder: Path) -> None:
    path = save(folder / "benign" / "z.png", COLOUR)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def without_colour(image: Image.Image) -> Image.Image:
    image.info["transparency"] = 0
    return image


PICTURE_FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (save_half_a_jpeg, "benign/z.jpg: cannot be read, it may be cut short"),
    (save_a_damaged_png, "benign/z.png: cannot be read, it may be cut short"),
    (
        lambda f: (f / "benign/z.png").write_bytes(b"GIF89a"),
        "benign/z.png: cannot be read, expected a whole PNG, JPEG",
    ),
    (lambda f: (f / "benign/P3.png").mkdir(), "benign/P3.png: is a folder, expected a picture"),
    (
        lambda f: save(f / "x.png", GREY),
        "raw/x.png: is beside the folders of the classes, expected every picture in one of benign",
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
    ("damage", "message"), PICTURE_FAULTS, ids=[message[:60] for _, message in PICTURE_FAULTS]
)
def test_a_folder_that_cannot_be_used_names_the_file(folder, damage, message):
    save(folder.parent / "out.png", GREY)
    damage(folder)
    assert_refused(folder, message)


# The pictures have 64 pixels. Pillow warns above the limit, and raises above twice the limit.
@pytest.mark.parametrize("limit", [63, 20])
def test_more_pixels_than_pillow_allows_are_refused(folder, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert_refused(folder, f"P1_benign.png: has more than {limit} pixels, expected fewer")


def test_a_window_of_negative_intensities_is_refused_for_pictures(folder):
    message = r"liver.window: got \[-1000.0, 400.0\], expected intensities from 0 to 255"
    assert_refused(folder, message, Grid((8, 8), (1.0, 1.0), (-1000.0, 400.0)))


def test_a_patch_of_three_dimensions_is_refused_for_pictures(folder):
    grid = Grid((8, 8, 8), (1.0,) * 3, (0.0, 255.0))
    assert_refused(folder, "preprocess.patch: got .8, 8, 8., expected two numbers", grid)


def write_manifest(
    folder: Path, rows: list[tuple[str, ...]], columns: str = "patient,image,label,site"
) -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns.split(","))
        table.writerows(rows)


@pytest.fixture
def manifest_rows(folder) -> list[tuple[str, ...]]:
    """The pictures of the folder, of two patients at one site."""
    rows = []
    for number, file in enumerate(sorted(folder.glob("*/*"))):
        image = file.relative_to(folder).as_posix()
        rows.append((str(number % 2), image, file.parent.name, "site-a"))
    return rows


def test_a_manifest_may_list_pictures(folder, manifest_rows):
    expected = read_liver(folder)
    write_manifest(folder, manifest_rows)
    domain = read_liver(folder)
    assert np.array_equal(domain.images, expected.images)
    assert domain.index["patient"].nunique() == 2
    assert set(domain.index["site"]) == {"site-a"}
    assert domain.index["origin"][0] == "manifest.csv:2"
    assert domain.preprocessing["spacing"] is None


def test_a_manifest_gives_the_diameters_of_pictures(folder, manifest_rows):
    rows = [(*row, "4") for row in manifest_rows]
    write_manifest(folder, rows, "patient,image,label,site,diameter_mm")
    assert list(read_liver(folder).index["size"]) == [4] * 4


def test_a_pattern_for_a_manifest_is_refused(folder, manifest_rows):
    write_manifest(folder, manifest_rows)
    assert_refused(folder, "liver.patient_pattern: got", pattern="(P)")


@pytest.mark.parametrize(
    ("row", "message"),
    (
        (
            ("b", "gone.png", "benign", "", "", ""),
            "manifest.csv:3: .*gone.png: is missing, expected a file",
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
    first = ("a", "benign/P1_benign.png", "malignant", "", "", "")
    write_manifest(folder, [first, row], "patient,image,label,x,y,z")
    assert_refused(folder, message)
