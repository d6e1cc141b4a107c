"""Damaged raw data in every form gives a domain or one line, soon and in little memory."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from graft.grids.grid import Grid
from tests.graft.dicom.test_masks import draw_boxes, write_seg
from tests.limited import run_limited
from tests.raw import read_domain

GRID = Grid((8, 8, 8), (1.0, 1.0, 1.0), (-1000.0, 2000.0))
PLANE = Grid((8, 8), (1.0, 1.0), (0.0, 255.0))
CLASSES = ["benign", "malignant"]
ROW = "patient,image,label,x,y,z,mask,segment,diameter_mm\n"
VOLUMES = {
    "plain.nii": False,
    "gzip.nii.gz": True,
    "plain.mha": False,
    "deflated.mha": True,
    "plain.mhd": False,
    "plain.nrrd": False,
    "gzip.nrrd": True,
    "plain.nhdr": False,
}
HEADER_BYTES = 600  # half of the faults are in here, where every byte means something


def write_volumes(folder: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    voxels = rng.integers(-1000, 2000, (16, 16, 16)).astype(np.int16)
    mask = np.zeros((16, 16, 16), np.uint8)
    mask[6:10, 6:10, 6:10] = 2
    for kind, array in (("scan", voxels), ("mask", mask)):
        image = SimpleITK.GetImageFromArray(array)
        SimpleITK.WriteImage(image, str(folder / f"{kind}-{name}"), VOLUMES[name])
    lines = f"ann,scan-{name},benign,,,,mask-{name},2,\nbob,scan-{name},malignant,-8,-8,8,,,4.5\n"
    (folder / "manifest.csv").write_text(ROW + lines.replace("bob", "ann"))


def write_dicom(folder: Path, write_series: Callable[..., np.ndarray]) -> None:
    write_series(folder / "ct")
    write_seg(folder / "ct", folder / "seg.dcm", draw_boxes(2))
    lines = "ann,ct,benign,,,,seg.dcm,2,\nann,ct,malignant,27,16,106,,,4.5\n"
    (folder / "manifest.csv").write_text(ROW + lines)


def write_arrays(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(folder / "data.npy", rng.integers(-1000, 2000, (4, 8, 8, 8)).astype(np.float32))
    np.save(folder / "labels.npy", np.array([0, 1, 0, 1]))
    np.save(folder / "groups.npy", np.array(["a", "b", "c", "d"]))


def write_npz(path: Path, save: Callable[..., None]) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = rng.integers(0, 256, (2, 8, 8, 8), np.uint8)
        arrays[f"{part}_labels"] = np.array([[0], [1]], np.uint8)
    save(path, **arrays)


def write_pictures(folder: Path) -> None:
    rng = np.random.default_rng(0)
    lines = "patient,image,label\n"
    for number, suffix in enumerate(["png", "jpg", "tif", "bmp"]):
        image = Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8))
        image.save(folder / f"{number}.{suffix}")
        lines += f"p{number},{number}.{suffix},{CLASSES[number % 2]}\n"
    (folder / "manifest.csv").write_text(lines)


@pytest.fixture
def cohorts(tmp_path, write_series) -> list[tuple[Path, Grid]]:
    """A folder per form of raw data, with the grid to read it on."""
    found = []

    def add(name: str, grid: Grid = GRID) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        found.append((folder, grid))
        return folder

    for name in VOLUMES:
        write_volumes(add(name), name)
    write_dicom(add("dicom"), write_series)
    write_arrays(add("arrays"))
    write_npz(add("npz", Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 255.0))) / "a.npz", np.savez)
    compressed = add("npz-compressed", Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 255.0)))
    write_npz(compressed / "a.npz", np.savez_compressed)
    write_pictures(add("pictures", PLANE))
    return found


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Change one to four bytes, cut the file short, or both."""
    damaged = bytearray(content)
    end = HEADER_BYTES if rng.random() < 0.5 else len(content)
    for place in rng.integers(0, min(end, len(content)), rng.integers(0, 5)):
        if rng.random() < 0.5:
            damaged[place] ^= 1 << rng.integers(8)
        else:
            damaged[place] = rng.integers(256)
    if damaged == content or rng.random() < 0.2:
        return bytes(damaged[: rng.integers(len(damaged))])
    return bytes(damaged)


def count_outcomes(cohorts: list[tuple[Path, Grid]], rounds: int, files: int) -> Counter:
    """Damage up to `files` files of each cohort, and count what reading it gives."""
    rng = np.random.default_rng(0)
    outcomes: Counter = Counter()
    for folder, grid in cohorts:
        read = partial(read_domain, folder, "lung", CLASSES, grid)
        read()  # imports what takes memory
        paths = sorted(folder.rglob("*.*"))
        for path in rng.permutation(paths)[:files]:
            content = path.read_bytes()
            for _ in range(rounds):
                damaged = damage(content, rng)
                path.write_bytes(damaged)
                outcome = run_limited(read)
                kind = classify(outcome)
                outcomes[kind] += 1
                if kind == "fault":
                    print(path, damaged[:HEADER_BYTES].hex(), outcome)
            path.write_bytes(content)
    return outcomes


def classify(outcome: str) -> str:
    if outcome == "done":
        return "read"
    is_fault = outcome in ("hang", "crash") or "\n" in outcome
    return "fault" if is_fault else "refused"


def test_damaged_raw_data_is_read_or_refused_in_one_line(cohorts):
    outcomes = count_outcomes(cohorts, rounds=1, files=2)
    assert outcomes["refused"] > 10
    assert not outcomes["fault"]


@pytest.mark.slow
def test_two_thousand_damaged_files_are_read_or_refused_in_one_line(cohorts):
    outcomes = count_outcomes(cohorts, rounds=60, files=100)
    assert outcomes.total() > 2000
    assert not outcomes["fault"]
