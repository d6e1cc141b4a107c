import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter
from ruamel.yaml import YAML
from scipy.ndimage import gaussian_filter

from graft.common.files import InputError
from graft.data.domain import COLUMNS, Domain
from graft.duplicates import fingerprints, pairs, volumes
from graft.duplicates.fingerprints import DuplicatePair
from stages import finetune, preprocess, split

ROOT = Path(__file__).parents[3]
PATIENTS = 12  # of each class


def picture(seed: int, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """Speckle of several sizes, no two of them similar."""
    noise = np.random.default_rng(seed).integers(0, 220, (size[1], size[0]), np.uint8)
    shapes = Image.fromarray(noise[::16, ::16]).resize(size, Image.Resampling.BICUBIC)
    return Image.blend(shapes, Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)), 0.4)


def make_domain(*images: np.ndarray) -> Domain:
    """A domain of planes or volumes in [0, 1], each of a patient of its own."""
    stack = np.stack(images).astype(np.float16)[:, None]
    index = pd.DataFrame(dict.fromkeys(COLUMNS, ""), index=range(len(stack)))
    rows = [f"row {number}" for number in range(len(stack))]
    index = index.assign(patient=rows, origin=rows, hash=fingerprints.fingerprint_images(stack))
    return Domain("liver", stack, index, ["benign", "malignant"], {})


def plane(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("F").resize((32, 32), Image.Resampling.BILINEAR)) / 255


def found(domain: Domain) -> set[tuple[int, int]]:
    return {
        (pair.first, pair.second)
        for pair in pairs.find_pairs((domain, np.arange(len(domain.index))))
    }


def as_jpeg(image: Image.Image, folder: Path) -> Image.Image:
    image.save(folder / "copy.jpg", quality=50)
    return Image.open(folder / "copy.jpg")


COPIES = {
    "itself": lambda image, folder: image,
    "JPEG of quality 50": as_jpeg,
    "80 % of the size": lambda image, folder: image.resize((77, 77), Image.Resampling.LANCZOS),
    "10 % brighter": lambda image, folder: image.point(lambda value: min(255, round(1.1 * value))),
    "left for right": lambda image, folder: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image, folder: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "all of them": lambda image, folder: as_jpeg(
        image.transpose(Image.Transpose.ROTATE_180)
        .resize((77, 77))
        .point(lambda value: min(255, round(1.1 * value))),
        folder,
    ),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_copy_is_found_and_other_pictures_are_not(tmp_path, change):
    originals = [picture(seed) for seed in range(20)]
    copies = [COPIES[change](image, tmp_path) for image in originals[:10]]
    domain = make_domain(*(plane(image) for image in originals + copies))
    assert found(domain) == {(number, 20 + number) for number in range(10)}


def test_more_images_than_are_compared_at_once():
    few = volumes.BLOCK + 2
    planes = [plane(picture(seed)) for seed in range(few)]
    assert found(make_domain(*planes, planes[-1][::-1])) == {(few - 1, few)}


def test_shapes_on_an_empty_ground_are_the_same_only_byte_by_byte():
    shape = np.zeros((32, 32))
    shape[14:18, 14:18] = 0.5
    other = shape.copy()
    other[18, 18] = 0.01
    assert found(make_domain(shape, other, shape)) == {(0, 2)}


def volume(seed: int) -> np.ndarray:
    """Soft shapes of several sizes in 24 x 20 x 28 voxels, no two of them similar."""
    noise = np.random.default_rng(seed)
    shapes = sum(
        gaussian_filter(noise.standard_normal((24, 20, 28)), sigma) * sigma**1.5
        for sigma in (1, 2, 4)
    )
    return np.clip(0.5 + shapes, 0, 1)


VOLUMES = {
    "in 8 bits": lambda image: np.round(255 * image) / 255,
    "10 % brighter": lambda image: np.minimum(1.1 * image, 1),
    "light for dark": lambda image: 1 - image,
    "noisy": lambda image: image + 0.03 * np.random.default_rng(1).standard_normal(image.shape),
    "blurred": lambda image: gaussian_filter(image, 0.6),
    "left for right": lambda image: image[::-1],
    "head for foot": lambda image: image[:, :, ::-1],
    "turned by half": lambda image: image[::-1, ::-1],
    "all of them": lambda image: (
        np.round(255 * np.minimum(1.1 * gaussian_filter(image[::-1, ::-1, ::-1], 0.5), 1)) / 255
    ),
}


@pytest.mark.parametrize("change", VOLUMES)
def test_a_copy_of_a_volume_is_found_and_other_volumes_are_not(change):
    originals = [volume(seed) for seed in range(volumes.BLOCK + 4)]
    copies = [np.clip(VOLUMES[change](image), 0, 1) for image in originals[:6]]
    assert found(make_domain(*originals, *copies)) == {
        (number, len(originals) + number) for number in range(6)
    }


def test_a_mirrored_volume_is_said_to_be_one():
    (pair,) = pairs.find_pairs(
        (make_domain(volume(0), volume(1), volume(0)[:, ::-1]), np.arange(3))
    )
    assert pair == DuplicatePair(0, 2, "coarse correlation 1.000, mirrored")


def nodule(seed: int) -> np.ndarray:
    """A ball on an empty ground: all are of one size, and only their voxels differ."""
    speckle = 0.15 * np.random.default_rng(seed).standard_normal((24, 24, 24))
    distance = np.linalg.norm(np.indices((24, 24, 24)) - 11.5, axis=0)
    return np.where(distance < 4, 0.6 + speckle, 0)


@pytest.mark.parametrize("noise", [0, 0.02])
def test_shapes_on_an_empty_ground_are_told_apart_by_their_own_voxels(noise):
    random = np.random.default_rng(7)
    originals = [nodule(seed) + noise * random.standard_normal((24, 24, 24)) for seed in range(20)]
    copies = [
        1.05 * nodule[::-1, :, ::-1] + 0.01 * random.standard_normal(nodule.shape)
        for nodule in originals[:5]
    ]
    images = [np.clip(image, 0, 1) for image in originals + copies]
    assert found(make_domain(*images)) == {(number, 20 + number) for number in range(5)}


def test_shapes_of_a_few_voxels_are_the_same_only_byte_by_byte():
    shape = np.zeros((16, 16, 16))
    shape[5:7, 5:7, 5] = 0.5
    domain = make_domain(shape, shape[::-1], shape)
    assert found(domain) == {(0, 2)} and set(domain.index["hash"].str.len()) == {16}


def test_images_of_two_domains_are_paired_and_those_of_one_are_not():
    one, other = (
        make_domain(volume(0), volume(1), volume(1)),
        make_domain(volume(2), volume(3), volume(1)[::-1]),
    )
    (pair,) = pairs.pairs_between(one, np.array([0, 1]), other, np.array([1, 2]))
    assert (pair.first, pair.second) == (1, 2) and "mirrored" in pair.evidence
    assert pairs.pairs_between(one, np.array([0]), other, np.array([0, 1, 2])) == []
    assert (
        pairs.pairs_between(one, np.arange(3), make_domain(volume(1)[:20, :20, :20]), np.array([0]))
        == []
    )


def test_one_picture_in_two_parts_is_refused_and_in_one_part_counted():
    planes = [plane(picture(seed)) for seed in range(3)]
    domain = make_domain(*planes, planes[0], planes[1][:, ::-1])
    found = pairs.check_duplicates(domain, pd.Series(["train", "test", "test", "train", "test"]))
    assert [(pair.first, pair.second) for pair in found] == [(0, 3), (1, 4)]
    assert not pairs.check_duplicates(
        domain, pd.Series(["train", "test", "test", "", ""])
    )  # labels unused: no model sees these
    with pytest.raises(InputError) as caught:
        pairs.check_duplicates(
            domain, pd.Series(["train", "test", "test", "external", "validation"])
        )
    assert str(caught.value) == (
        "domains.liver: 2 pairs of images are the same picture in two parts of the split: "
        "row 0 (train) and row 3 (external), "
        "identical; row 1 (test) and row 4 (validation), "
        "0 of 64 bits apart, mirrored, correlation 1.000; expected each in "
        "one part: give both images of a pair one patient, or remove one"
    )


def test_many_pairs_are_named_in_part():
    planes = [plane(picture(0))] * 30
    with pytest.raises(InputError, match=r"29 pairs of .*; and 9 more; expected"):
        pairs.check_duplicates(make_domain(*planes), pd.Series(["train"] + ["test"] * 29))


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with params.yaml and 24 pictures of 24 patients, of several sizes."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["domains"]["liver"] |= {
        "path": "raw",
        "window": [0, 255],
        "patient_pattern": r"^(Doe\d+)_",
    }
    params["domains"]["liver"]["split"]["external"] = None
    params["preprocess"] = {"patch": [32, 32], "spacing": [1.0, 1.0]}
    params["finetune"]["epochs"] = 1
    params["training"]["device"] = "cpu"
    yaml.dump(params, tmp_path / "params.yaml")
    for number in range(2 * PATIENTS):
        folder = tmp_path / "raw" / ("benign", "malignant")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        picture(number, (96 + number, 80)).save(folder / f"Doe{number:02}_1.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stage(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", *words], env=environment, capture_output=True, text=True
    )


def test_a_folder_of_pictures_goes_from_preprocess_to_a_model(project):
    preprocess.main("liver")
    written = {path.name: path.read_bytes() for path in Path("data/processed/liver").iterdir()}
    assert not any(b"Doe" in content for content in written.values())
    preprocess.main("liver")
    assert {
        path.name: path.read_bytes() for path in Path("data/processed/liver").iterdir()
    } == written
    split.main("liver")
    finetune.main("scratch")
    assert (project / "models/finetuned/scratch/weights.safetensors").is_file()


def test_a_copy_under_another_patient_stops_the_split_until_both_are_one_patients(project, capsys):
    preprocess.main("liver")
    split.main("liver")
    before = (project / "data/splits/liver.csv").read_bytes()
    learns = pd.read_csv("data/splits/liver.csv").query("part == 'train'")["sample"]
    index = Domain.read(project / "data/processed/liver").index
    row = next(row for row in learns if index["label"][row] == "benign")
    original = sorted((project / "raw/benign").iterdir())[
        int(index["origin"][row].partition("#")[2]) - 1
    ]
    copies = [
        project / f"raw/benign/Doe{100 + number}_1.jpg" for number in range(6)
    ]  # some will not be in train
    for copy in copies:
        Image.open(original).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(copy, quality=50)
    preprocess.main("liver")
    done = stage("stages.split", "liver")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert (
        "pairs of images are the same picture in two parts" in done.stderr
        and "Doe" not in done.stderr
    )
    assert (project / "data/splits/liver.csv").read_bytes() == before
    for number, copy in enumerate(copies):
        copy.rename(copy.with_name(f"{original.name[:5]}_{number + 2}.jpg"))
    preprocess.main("liver")
    capsys.readouterr()
    split.main("liver")
    assert (
        "pairs of images are the same picture within a part, 0 of them of two patients"
        in capsys.readouterr().out
    )
