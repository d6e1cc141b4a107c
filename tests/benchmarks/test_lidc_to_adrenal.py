"""Adrenal glands as patches, and the tables of transfer to them."""

from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from benchmarks import lidc_to_adrenal
from benchmarks.adrenal import middle_patches, read_glands
from benchmarks.lung_to_adrenal import ADRENAL
from benchmarks.real_sources import SourcePlan, source_parts, train_sources
from benchmarks.real_trials import Bench
from graft.common.files import InputError
from graft.common.seeds import generator
from graft.config.parameters import load_parameters

ROOT = Path(__file__).parents[2]
COUNTS = {"train": 20, "val": 4, "test": 8}


@pytest.fixture
def data(tmp_path) -> Path:
    """The folder of the data with glands of 28³ voxels; those with a mass are larger."""
    path = tmp_path / "data" / ADRENAL
    path.parent.mkdir(parents=True)
    arrays = {}
    for part, count in COUNTS.items():
        labels = np.arange(count) % 2
        images = np.zeros((count, 28, 28, 28), np.uint8)
        images[:, 12:16, 12:16, 12:16] = 255
        images[labels == 1, 10:12, 12:16, 12:16] = 255
        arrays |= {f"{part}_images": images, f"{part}_labels": labels[:, None]}
    np.savez(path, **arrays)
    return tmp_path / "data"


def test_a_patch_is_the_mean_of_blocks_about_the_middle():
    volumes = np.zeros((1, 64, 64, 64), np.uint8)
    volumes[0, 8:10, 8:10, 8] = 200  # four of the eight voxels of the first block
    patches = middle_patches(volumes, 2)
    assert patches.shape == (1, 1, 24, 24, 24)
    assert patches[0, 0, 0, 0, 0] == 100
    assert patches.sum() == 100


def test_nobody_validates_and_the_official_test_part_is_tested(data):
    glands = read_glands(data, 28)
    assert len(glands.labelled) == COUNTS["train"] + COUNTS["val"]
    assert glands.test.tolist() == list(range(24, 32))
    assert sorted(glands.domain.index["size"].unique()) == [64, 96]
    assert (glands.domain.index["label"] == "mass").sum() == 16


def test_a_missing_resolution_is_an_error(data):
    with pytest.raises(InputError, match="adrenalmnist3d_64.npz: is missing"):
        read_glands(data, 64)
    with pytest.raises(InputError, match="--resolution: got 32, expected 28 or 64"):
        lidc_to_adrenal.check_resolutions([32])


def test_each_arm_has_a_row(data, tmp_path, monkeypatch):
    yaml = YAML()
    content = yaml.load(ROOT / "params.yaml")
    for stage in ("pretrain", "finetune"):
        content[stage] |= {"epochs": 1, "transforms": 0}
    path = tmp_path / "params.yaml"
    yaml.dump(content, path)
    bench = Bench("lidc_to_adrenal", tmp_path / "work", load_parameters(path))
    monkeypatch.setattr(lidc_to_adrenal, "EPOCHS", {1.0: 1})
    monkeypatch.setattr(lidc_to_adrenal, "TRAININGS", 2)
    glands = read_glands(data, 28)
    domain = glands.domain
    parts = source_parts(domain, np.arange(32) < 24, generator(0, "test"))
    assert (parts[24:] == "test").all()
    assert (parts == "validation").sum() == 4  # of two classes of 12
    (source,) = train_sources(
        [SourcePlan(bench.keep(domain, "source"), parts, 0)], bench.parameters, tmp_path / "sources"
    )
    sources = {lidc_to_adrenal.RATINGS: source, lidc_to_adrenal.SHAPES: source}
    lines = list(lidc_to_adrenal.transfer_to(bench, glands, 28, sources))
    names = [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("| ")]
    arms = [arm.name for arm in lidc_to_adrenal.ARMS]
    assert names[2:] == [*arms, "size alone", *(f"published: {name}" for name in PUBLISHED)]
    assert "[1.000, 1.000]" in lines[-4]  # size alone is perfect here


PUBLISHED = lidc_to_adrenal.PUBLISHED
