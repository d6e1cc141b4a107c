"""Lung nodules with their ratings, and trainings on them from end to end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from benchmarks import lidc_ratings, lidc_to_lidc, size_input
from benchmarks.lidc import RATINGS, SIDE, TASKS, as_shapes, nodule_domain, read_nodules
from benchmarks.lung_to_adrenal import NODULES, VOLUMES
from benchmarks.real_trials import Arm, Bench, with_size
from benchmarks.trial_tables import score_trials, share_table
from graft.common.files import InputError
from graft.config.parameters import Parameters, load_parameters

ROOT = Path(__file__).parents[2]
COUNT = 48


@pytest.fixture
def data(tmp_path) -> Path:
    """The folder of the data with 48 nodules of as many patients, brighter if calcified."""
    folder = tmp_path / "data"
    (folder / VOLUMES).parent.mkdir(parents=True)
    number = np.arange(COUNT)
    volumes = np.zeros((COUNT, 32, 32, 32), np.uint8)
    volumes[:, 14:18, 14:18, 14:18] = 100
    volumes[number % 2 == 1, 15, 15, 15] = 250
    volumes[:, 13, 13, 13] = number + 1
    malignant = (number // 2) % 2
    np.savez(folder / VOLUMES, volumes=volumes, malignant=malignant, nodule_index=number)
    nodules = {
        "nodule_index": number,
        "lidc_patient_id": [f"LIDC-{i}" for i in number],
        "exam_id": [f"e{i}" for i in number],
        "malignant": malignant,
        "malignancy_rating": 1 + 3 * malignant,
    }
    pd.DataFrame(nodules).to_csv(folder / NODULES, index=False)
    names = [rating.column for rating in TASKS.values() if rating.column != "malignancy_rating"]
    ratings = dict.fromkeys(names, 1 + number % 5) | {"calcification": 6 - 3 * (number % 2)}
    pd.DataFrame({"nodule_index": number, **ratings}).to_csv(folder / RATINGS, index=False)
    return folder


@pytest.fixture
def parameters(tmp_path) -> Parameters:
    """Parameters for trainings of one epoch."""
    yaml = YAML()
    content = yaml.load(ROOT / "params.yaml")
    for stage in ("pretrain", "finetune"):
        content[stage] |= {"epochs": 1, "transforms": 0}
    content["self_supervise"] |= {"epochs": 1, "batch": 8}
    path = tmp_path / "params.yaml"
    yaml.dump(content, path)
    return load_parameters(path)


def test_a_rating_becomes_two_classes(data):
    nodules = read_nodules(data)
    assert nodules.has("calcification").tolist() == [False, True] * (COUNT // 2)
    assert nodules.has("spiculation").sum() == (np.arange(COUNT) % 5 > 0).sum()
    domain = nodule_domain(nodules, "target", "calcification", 24, ["margin"])
    assert domain.images.shape == (COUNT, 1, 24, 24, 24)
    assert domain.index["size"].eq(65).all()  # a cube of 4³ and one more voxel
    assert set(domain.index["label"]) == {"absent", "calcified"}
    assert domain.tasks["margin"].tolist() == [str(1 + i % 5) for i in range(COUNT)]
    assert not domain.index["patient"].str.contains("LIDC").any()


def test_shapes_have_no_grey_values(data):
    nodules = read_nodules(data)
    shapes = as_shapes(nodules)
    assert np.unique(shapes.volumes).tolist() == [0, 255]
    assert shapes.sizes().tolist() == nodules.sizes().tolist()
    assert shapes.has("margin").tolist() == nodules.has("margin").tolist()


def test_a_nodule_without_rating_is_an_error(data):
    table = pd.read_csv(data / RATINGS)
    table.loc[3, "margin"] = np.nan
    table.to_csv(data / RATINGS, index=False)
    with pytest.raises(InputError, match="a nodule has no patient or no rating"):
        read_nodules(data)


def test_source_and_target_share_no_patient(data, parameters, tmp_path, monkeypatch):
    monkeypatch.setattr(lidc_to_lidc, "FOLDS", 2)
    bench = Bench("lidc_to_lidc", tmp_path / "work", parameters)
    nodules = read_nodules(data)
    domain = nodule_domain(nodules, "target", "calcification", SIDE)
    half_of = lidc_to_lidc.halve(domain, "lidc_to_lidc", 0)
    sources = lidc_to_lidc.train_all_sources(bench, nodules, "calcification", half_of)
    trials = lidc_to_lidc.make_trials(domain, half_of, sources, [0.5], 0)
    assert np.sort(np.concatenate([trial.test for trial in trials])).tolist() == list(range(COUNT))
    for trial in trials:
        target_half = half_of[trial.test[0]]
        assert (half_of[[*trial.train, *trial.test]] == target_half).all()
        assert not set(trial.train) & set(trial.test)
        assert trial.sources is sources[1 - target_half]
    targets = {"image": bench.keep(domain, "target")}
    arms = [Arm("scratch"), Arm("contrast", lidc_to_lidc.CONTRAST)]
    table = bench.run(targets, trials[:1], arms)
    assert table["arm"].value_counts().tolist() == [len(trials[0].test)] * 2
    assert table["probability"].between(0, 1).all()
    none = bench.run(targets, [], arms)
    assert none.dtypes.equals(table.dtypes)
    assert len(none) == 0


def test_each_rating_has_a_row(data, parameters, tmp_path, monkeypatch):
    tasks = {name: TASKS[name] for name in ("malignancy", "calcification")}
    monkeypatch.setattr(lidc_ratings, "TASKS", tasks)
    bench = Bench("lidc_ratings", tmp_path / "work", parameters)
    lines = list(lidc_ratings.rating_table(bench, read_nodules(data)))
    assert len(lines) == 4
    assert lines[3].startswith("| calcification: calcified | 24 | 0.50 |")
    assert lines[3].endswith("| 1.000 |")  # the brightest voxel


def test_size_and_patch_are_further_targets(data, parameters, tmp_path):
    bench = Bench("size_input", tmp_path / "work", parameters)
    domain = nodule_domain(read_nodules(data), "nodules", "malignancy", 8)
    trials = size_input.make_trials(domain, 0)
    assert np.sort(np.concatenate([trial.test for trial in trials])).tolist() == list(range(COUNT))
    targets = {
        "image": bench.keep(domain, "image"),
        "size": bench.keep(with_size(domain), "size"),
        "large with size": bench.keep(with_size(domain), "large-size"),
        "large": bench.keep(
            nodule_domain(read_nodules(data), "nodules", "malignancy", 12), "large"
        ),
    }
    table = bench.run(targets, trials[:1], size_input.ARMS)
    assert set(table["arm"]) == {arm.name for arm in size_input.ARMS}
    lines = list(
        share_table(score_trials(domain, trials[:1], table, np.zeros(COUNT, int))[0], "default")
    )
    assert len(lines) == 3 + len(size_input.ARMS)


def test_an_unknown_target_is_an_error(data):
    with pytest.raises(InputError, match="--target: got 'malignancy', expected one of calcif"):
        lidc_to_lidc.main(data, target="malignancy")
