from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter
from ruamel.yaml import YAML
from scipy.ndimage import gaussian_filter

from graft.common.files import InputError
from graft.data.domain import COLUMNS, Domain
from graft.duplicates import fingerprints, pairs
from graft.duplicates.fingerprints import DuplicatePair
from stages import finetune, preprocess, split
from tests.commands import run_module
from tests.processed import read_parts

ROOT = Path(__file__).parents[3]
PATIENTS = 12  # of each class
MANY = 32  # images


def picture(seed: int, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """Speckle of several sizes that differs for each seed."""
    width, height = size
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 220, (height, width), np.uint8)
    every_16th = Image.fromarray(noise[::16, ::16])
    coarse = every_16th.resize(size, Image.Resampling.BICUBIC)
    fine = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
    return Image.blend(coarse, fine, 0.4)


def make_domain(*images: np.ndarray) -> Domain:
    """A domain of planes or volumes in [0, 1], each from a patient of its own."""
    stack = np.stack(images).astype(np.float16)[:, None]
    index = pd.DataFrame(dict.fromkeys(COLUMNS, ""), index=range(len(stack)))
    names = [f"row {number}" for number in range(len(stack))]
    hashes = fingerprints.fingerprint_images(stack)
    index = index.assign(patient=names, origin=names, hash=hashes)
    return Domain("liver", stack, index, ["benign", "malignant"], {})


def plane(image: Image.Image) -> np.ndarray:
    """The pixels of a picture at 32 x 32 in [0, 1]."""
    grey = image.convert("F")
    small = grey.resize((32, 32), Image.Resampling.BILINEAR)
    return np.asarray(small) / 255


def planes_of(count: int) -> list[np.ndarray]:
    return [plane(picture(seed)) for seed in range(count)]


def rows_of(found: list[DuplicatePair]) -> list[tuple[int, int]]:
    return [(pair.first, pair.second) for pair in found]


def paired_rows(domain: Domain) -> set[tuple[int, int]]:
    rows = np.arange(len(domain.index))
    found = pairs.find_pairs((domain, rows))
    return set(rows_of(found))


def as_jpeg(image: Image.Image, folder: Path) -> Image.Image:
    image.save(folder / "copy.jpg", quality=50)
    return Image.open(folder / "copy.jpg")


def brighten(image: Image.Image) -> Image.Image:
    return image.point(lambda value: min(255, round(1.1 * value)))


def change_everything(image: Image.Image, folder: Path) -> Image.Image:
    rotated = image.transpose(Image.Transpose.ROTATE_180)
    small = rotated.resize((77, 77))
    return as_jpeg(brighten(small), folder)


CHANGES_OF_A_PICTURE: dict[str, Callable[[Image.Image, Path], Image.Image]] = {
    "itself": lambda image, folder: image,
    "JPEG of quality 50": as_jpeg,
    "80 % of the size": lambda image, folder: image.resize((77, 77), Image.Resampling.LANCZOS),
    "10 % brighter": lambda image, folder: brighten(image),
    "left for right": lambda image, folder: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image, folder: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "all of them": change_everything,
}


@pytest.mark.parametrize("name", CHANGES_OF_A_PICTURE)
def test_a_changed_copy_is_found_and_other_pictures_are_not(tmp_path, name):
    change = CHANGES_OF_A_PICTURE[name]
    originals = [picture(seed) for seed in range(20)]
    copies = [change(image, tmp_path) for image in originals[:10]]
    planes = [plane(image) for image in originals + copies]
    expected = {(number, 20 + number) for number in range(10)}
    assert paired_rows(make_domain(*planes)) == expected


def test_a_copy_is_found_among_many_images():
    count = MANY + 2
    planes = planes_of(count)
    copy_of_the_last = planes[-1][::-1]
    domain = make_domain(*planes, copy_of_the_last)
    assert paired_rows(domain) == {(count - 1, count)}


def test_similar_shapes_on_an_empty_background_are_copies_only_if_identical():
    shape = np.zeros((32, 32))
    shape[14:18, 14:18] = 0.5
    other = shape.copy()
    other[18, 18] = 0.01
    assert paired_rows(make_domain(shape, other, shape)) == {(0, 2)}


def volume(seed: int) -> np.ndarray:
    """Soft shapes of several sizes in 24 x 20 x 28 voxels that differ for each seed."""
    rng = np.random.default_rng(seed)
    total = np.zeros((24, 20, 28))
    for sigma in (1, 2, 4):
        noise = rng.standard_normal(total.shape)
        total += gaussian_filter(noise, sigma) * sigma**1.5
    return np.clip(0.5 + total, 0, 1)


def add_noise(image: np.ndarray) -> np.ndarray:
    return image + 0.03 * np.random.default_rng(1).standard_normal(image.shape)


def round_to_8_bits(image: np.ndarray) -> np.ndarray:
    return np.round(255 * image) / 255


def brighten_voxels(image: np.ndarray) -> np.ndarray:
    return np.minimum(1.1 * image, 1)


def change_every_voxel(image: np.ndarray) -> np.ndarray:
    mirrored = np.flip(image)
    blurred = gaussian_filter(mirrored, 0.5)
    return round_to_8_bits(brighten_voxels(blurred))


CHANGES_OF_A_VOLUME: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "in 8 bits": round_to_8_bits,
    "10 % brighter": brighten_voxels,
    "light for dark": lambda image: 1 - image,
    "noisy": add_noise,
    "blurred": lambda image: gaussian_filter(image, 0.6),
    "left for right": lambda image: image[::-1],
    "head for foot": lambda image: image[:, :, ::-1],
    "rotated by 180 degrees": lambda image: image[::-1, ::-1],
    "all of them": change_every_voxel,
}


@pytest.mark.parametrize("name", CHANGES_OF_A_VOLUME)
def test_a_changed_copy_of_a_volume_is_found_and_other_volumes_are_not(name):
    change = CHANGES_OF_A_VOLUME[name]
    count = MANY + 4
    originals = [volume(seed) for seed in range(count)]
    copies = [np.clip(change(image), 0, 1) for image in originals[:6]]
    expected = {(number, count + number) for number in range(6)}
    assert paired_rows(make_domain(*originals, *copies)) == expected


def test_the_evidence_names_a_mirrored_volume():
    original = volume(0)
    domain = make_domain(original, volume(1), original[:, ::-1])
    (pair,) = pairs.find_pairs((domain, np.arange(3)))
    assert pair == DuplicatePair(0, 2, "coarse correlation 1.000, mirrored")


def nodule(seed: int) -> np.ndarray:
    """A ball on an empty background: all have one size, and only their voxels differ."""
    shape = (24, 24, 24)
    rng = np.random.default_rng(seed)
    speckle = 0.15 * rng.standard_normal(shape)
    offsets = np.indices(shape) - 11.5
    distance = np.linalg.norm(offsets, axis=0)
    return np.where(distance < 4, 0.6 + speckle, 0)


@pytest.mark.parametrize("noise", [0, 0.02])
def test_balls_of_one_size_are_distinguished_by_their_voxels(noise):
    rng = np.random.default_rng(7)
    originals = []
    for seed in range(20):
        shape = nodule(seed)
        originals.append(shape + noise * rng.standard_normal(shape.shape))
    copies = []
    for shape in originals[:5]:
        mirrored = 1.05 * shape[::-1, :, ::-1]
        copies.append(mirrored + 0.01 * rng.standard_normal(shape.shape))
    images = [np.clip(image, 0, 1) for image in originals + copies]
    expected = {(number, 20 + number) for number in range(5)}
    assert paired_rows(make_domain(*images)) == expected


def test_shapes_of_a_few_voxels_are_copies_only_if_identical():
    shape = np.zeros((16, 16, 16))
    shape[5:7, 5:7, 5] = 0.5
    domain = make_domain(shape, shape[::-1], shape)
    assert paired_rows(domain) == {(0, 2)}
    assert set(domain.index["hash"].str.len()) == {16}


def test_only_images_of_different_domains_are_paired():
    shared = volume(1)
    one = make_domain(volume(0), shared, shared)
    other = make_domain(volume(2), volume(3), shared[::-1])
    rows = np.array([0, 1])
    other_rows = np.array([1, 2])
    (pair,) = pairs.pairs_between(one, rows, other, other_rows)
    assert pair.first == 1
    assert pair.second == 2
    assert "mirrored" in pair.evidence

    first_row = np.array([0])
    all_rows = np.arange(3)
    assert pairs.pairs_between(one, first_row, other, all_rows) == []


def test_volumes_of_different_shapes_are_not_paired():
    one = make_domain(volume(0), volume(1), volume(1))
    smaller = make_domain(volume(1)[:20, :20, :20])
    rows = np.arange(3)
    only_row = np.array([0])
    assert pairs.pairs_between(one, rows, smaller, only_row) == []


@pytest.fixture
def domain_with_two_copies() -> Domain:
    """Rows 0 and 3 are the same picture, and so are rows 1 and 4."""
    planes = planes_of(3)
    return make_domain(*planes, planes[0], planes[1][:, ::-1])


def check(domain: Domain, parts: list[str], listing: Path | None = None) -> list[DuplicatePair]:
    """The pairs within a part."""
    series = pd.Series(parts)
    return pairs.check_duplicates(domain, series, pairs.find_duplicates(domain, series), listing)


def test_copies_within_one_part_are_returned(domain_with_two_copies):
    parts = ["train", "test", "test", "train", "test"]
    copies = check(domain_with_two_copies, parts)
    assert rows_of(copies) == [(0, 3), (1, 4)]


def test_copies_in_no_part_are_ignored(domain_with_two_copies):
    parts = ["train", "test", "test", "", ""]  # no model sees the last two
    assert not check(domain_with_two_copies, parts)


def test_copies_of_an_image_in_no_part_are_compared_with_each_other():
    domain = make_domain(*planes_of(1) * 3)
    with pytest.raises(InputError, match=r"1 pair .* row 1 \(train\) and row 2 \(test\)"):
        check(domain, ["", "train", "test"])


def test_copies_in_two_parts_are_refused(domain_with_two_copies):
    parts = ["train", "test", "test", "external", "validation"]
    with pytest.raises(InputError) as caught:
        check(domain_with_two_copies, parts)
    assert str(caught.value) == (
        "domains.liver: the same picture is in two parts of the split, in 2 pairs of images: "
        "row 0 (train) and row 3 (external), "
        "identical; row 1 (test) and row 4 (validation), "
        "0 of 64 bits apart, mirrored, correlation 1.000; expected each in "
        "one part: set domains.liver.split.duplicates to keep-first or drop, "
        "or give both images of a pair one patient"
    )


def test_a_message_names_only_some_of_many_pairs():
    domain = make_domain(*[plane(picture(0))] * 30)
    parts = ["train"] + ["test"] * 29
    with pytest.raises(InputError, match=r"29 pairs of .*; and 9 more; expected"):
        check(domain, parts)
    with pytest.raises(InputError, match="; and 26 more; pairs.csv lists all pairs; expected"):
        check(domain, parts, Path("pairs.csv"))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with params.yaml and 24 pictures of 24 patients, of several sizes."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    liver = params["domains"]["liver"]
    liver["path"] = "raw"
    liver["window"] = [0, 255]
    liver["patient_pattern"] = r"^(Doe\d+)_"
    liver["split"] |= {"external": None, "labelled": 0.5, "validation": 0.09}
    params["preprocess"] = {"patch": [32, 32], "spacing": [1.0, 1.0]}
    params["finetune"]["epochs"] = 1
    params["training"]["device"] = "cpu"
    yaml.dump(params, tmp_path / "params.yaml")
    for number in range(2 * PATIENTS):
        label = ("benign", "malignant")[number % 2]
        folder = tmp_path / "raw" / label
        folder.mkdir(parents=True, exist_ok=True)
        picture(number, (96 + number, 80)).save(folder / f"Doe{number:02}_1.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def processed_files(project: Path) -> dict[str, bytes]:
    folder = project / "data/processed/liver"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_preprocessing_pictures_twice_writes_the_same_files_without_names(project):
    preprocess.main("liver")
    written = processed_files(project)
    for content in written.values():
        assert b"Doe" not in content
    preprocess.main("liver")
    assert processed_files(project) == written


def test_a_folder_of_pictures_becomes_a_model(project):
    preprocess.main("liver")
    split.main("liver")
    finetune.main("scratch")
    assert (project / "models/finetuned/scratch/weights.safetensors").is_file()


def benign_training_picture(project: Path) -> Path:
    """The raw file of the first benign picture in the training part."""
    index = Domain.read(project / "data/processed/liver").index
    training_rows = np.flatnonzero(read_parts("liver", project) == "train")
    row = next(row for row in training_rows if index["label"][row] == "benign")
    _, _, number = index["origin"][row].partition("#")  # from 1, in the order of names
    files = sorted((project / "raw/benign").iterdir())
    return files[int(number) - 1]


def test_a_copy_with_another_patient_stops_the_split_until_both_have_one_patient(project, capsys):
    preprocess.main("liver")
    split.main("liver")
    split_before = (project / "data/splits/liver.csv").read_bytes()
    original = benign_training_picture(project)
    mirrored = Image.open(original).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    copies = [project / f"raw/benign/Doe{100 + number}_1.jpg" for number in range(6)]
    for copy in copies:  # six, so that some are not drawn for the training part
        mirrored.save(copy, quality=50)

    preprocess.main("liver")
    result = run_module("stages.split", "liver")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "the same picture is in two parts" in result.stderr
    assert "Doe" not in result.stderr
    assert (project / "data/splits/liver.csv").read_bytes() == split_before

    patient = original.name[:5]
    for number, copy in enumerate(copies, start=2):
        copy.rename(copy.with_name(f"{patient}_{number}.jpg"))
    preprocess.main("liver")
    capsys.readouterr()
    split.main("liver")
    message = "pairs of images with the same picture within a part, 0 of them of two patients"
    assert message in capsys.readouterr().out
