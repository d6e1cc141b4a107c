"""A repeated training depends on its own patients and on nothing that it is tested on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.config.parameters import load_parameters
from graft.data.domain import Domain, write_domain
from graft.data.reference import DomainReference
from graft.networks.build import build_network
from graft.networks.reference import ModelReference
from graft.networks.saved import save_model
from graft.repeated.cache import collect_results
from graft.repeated.cross_validation import candidate_sources, train_folds
from graft.repeated.cross_validation import empty_table as empty_folds
from graft.repeated.learning_curve import ARMS, train_learning_curve
from graft.repeated.learning_curve import empty_table as empty_curve
from graft.repeated.settings import RepeatedFinetuning
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows

ROOT = Path(__file__).parents[3]
CLASSES = ["benign", "malignant"]
ROWS = Rows(np.arange(12), np.arange(12, 18), np.arange(18, 24))
SHAPE = {"name": "resnet", "patch": [8, 8], "channels": 1, "classes": 2, "width": 8}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def trainings(tmp_path) -> RepeatedTrainings:
    """Short trainings on 24 grey planes of 24 patients."""
    index = pd.DataFrame(
        {
            "sample": np.arange(24),
            "patient": [f"p{i:02}" for i in range(24)],
            "label": np.array(CLASSES)[np.arange(24) % 2],
            "site": "",
            "split": "",
            "origin": "",
            "size": 1.0,
            "hash": "",
        }
    )
    images = np.random.default_rng(0).random((24, 1, 8, 8)).astype(np.float16)
    parameters = load_parameters(ROOT / "params.yaml")
    return RepeatedTrainings(
        stage="cross_validate",
        target=write_target(tmp_path / "liver", Domain("liver", images, index, CLASSES, {})),
        settings=RepeatedFinetuning(
            network=parameters.network,
            training=parameters.training,
            augment=parameters.augment,
            finetune=parameters.finetune.model_copy(update={"epochs": 1}),
        ),
        device=torch.device("cpu"),
        checkpoints=tmp_path / "checkpoints",
    )


def write_target(folder: Path, domain: Domain) -> DomainReference:
    write_domain(folder, domain)
    return DomainReference.to(folder)


def change_target(
    trainings: RepeatedTrainings, change: Callable[[Domain], Domain]
) -> RepeatedTrainings:
    """The same trainings on a changed copy of their domain."""
    folder = trainings.target.folder
    changed = change(trainings.domain)
    return replace(trainings, target=write_target(folder.with_name("changed"), changed))


@pytest.fixture
def sources(tmp_path) -> list[PulledSource]:
    """One pretrained network with two weights λ."""
    folder = tmp_path / "pretrained"
    folder.mkdir()
    network = build_network(**SHAPE, seed=7)
    save_model(folder, [network], {"architecture": SHAPE, "classes": CLASSES})
    return candidate_sources({"lung": ModelReference.to(folder)}, [0.01, 1.0, 0.01])


def run_all(trainings, sources, folder):
    """The results of training from scratch, from both sources, and of a linear probe."""
    planned = [trainings.plan_one("scratch", "scratch", ROWS, 3)]
    for source in sources:
        planned.append(trainings.plan_one("transfer", "transfer", ROWS, 3, source))
    planned.append(trainings.plan_one("frozen", "frozen", ROWS, 3, sources[0]))
    return collect_results("cross_validate", planned, folder)


def test_every_source_is_combined_with_every_lambda_once(sources):
    assert [(source.name, source.weight) for source in sources] == [("lung", 0.01), ("lung", 1.0)]


def test_tested_patients_change_no_network_and_no_validation(trainings, sources, tmp_path):
    before = run_all(trainings, sources, tmp_path)

    def change(domain: Domain) -> Domain:
        images = domain.images.copy()
        index = domain.index.copy()
        other = dict(zip(CLASSES, reversed(CLASSES), strict=True))
        index.loc[ROWS.predicted, "label"] = index.loc[ROWS.predicted, "label"].map(other)
        images[ROWS.predicted[0]] = 0
        return replace(domain, images=images, index=index)

    after = run_all(change_target(trainings, change), sources, tmp_path)
    for one, two in zip(before, after, strict=True):
        assert np.array_equal(one["validation"], two["validation"])
        assert np.array_equal(one["predicted"][1:], two["predicted"][1:])
        assert not np.array_equal(one["predicted"][0], two["predicted"][0])


def test_lambda_changes_the_transfer(trainings, sources, tmp_path):
    _, weak, strong, _ = run_all(trainings, sources, tmp_path)
    assert not np.array_equal(weak["predicted"], strong["predicted"])


def test_training_patients_change_every_network(trainings, sources, tmp_path):
    before = run_all(trainings, sources, tmp_path)

    def change(domain: Domain) -> Domain:
        index = domain.index.copy()
        index.loc[ROWS.train[:4], "label"] = "benign"
        return replace(domain, index=index)

    after = run_all(change_target(trainings, change), sources, tmp_path)
    for one, two in zip(before, after, strict=True):
        assert not np.array_equal(one["predicted"], two["predicted"])


def test_the_key_has_the_stage_the_order_of_the_classes_and_the_kinds_of_covariates(trainings):
    ages = pd.DataFrame({"age": ["40"] * 24})

    def kind(name: str) -> Callable[[Domain], Domain]:
        return lambda domain: replace(domain, kinds={"age": name}, covariates=ages)

    others = [
        trainings,
        replace(trainings, stage="learning_curve"),
        change_target(trainings, lambda domain: replace(domain, classes=CLASSES[::-1])),
    ]
    keys = [other.plan_one("scratch", "scratch", ROWS, 3).key for other in others]
    for name in ("number", "category"):
        other = change_target(trainings, kind(name))
        keys.append(other.plan_one("scratch", "scratch", ROWS, 3).key)
    assert len({str(key) for key in keys}) == 5


def test_the_table_of_folds_has_every_case_of_every_training(trainings, sources, tmp_path):
    table = train_folds(
        trainings,
        rows=np.arange(24),
        count=2,
        repeats=1,
        validation=0.25,
        candidates=sources,
        seed=1,
        cache=tmp_path,
    )
    assert list(table) == list(empty_folds(CLASSES))
    tested = table[table["part"] == "test"]
    for _, rows in tested.groupby(["arm", "lambda"]):
        assert sorted(rows["sample"]) == list(range(24))
    named = table[["arm", "source", "lambda"]].drop_duplicates().to_numpy().tolist()
    assert named == [["scratch", "", 0.0], ["transfer", "lung", 0.01], ["transfer", "lung", 1.0]]


def test_the_table_of_a_curve_has_the_test_part_for_every_arm_and_share(
    trainings, sources, tmp_path
):
    parts = {"train": ROWS.train, "validation": ROWS.validation, "test": ROWS.predicted}
    table = train_learning_curve(
        trainings,
        parts=parts,
        shares=[1.0, 0.5, 1.0],
        draws=1,
        source=sources[0],
        seed=1,
        cache=tmp_path,
    )
    assert list(table) == list(empty_curve(CLASSES))
    found = []
    for (share, arm), rows in table.groupby(["share", "arm"], sort=False):
        found.append((share, arm))
        assert rows["sample"].tolist() == ROWS.predicted.tolist()
    assert found == [(share, arm) for share in (0.5, 1.0) for arm in ARMS]
    assert table.groupby("share")["patients"].first().tolist() == [10, 18]
