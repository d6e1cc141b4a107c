"""A repeated training depends on its own patients and on nothing that it is tested on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from graft.common.seeds import derive
from graft.config.parameters import load_parameters
from graft.data.domain import Domain, write_domain
from graft.data.reference import DomainReference
from graft.networks.build import build_network
from graft.networks.card import read_card
from graft.networks.reference import ModelReference
from graft.networks.saved import save_model
from graft.repeated.cache import collect_results
from graft.repeated.cross_validation import Candidate, all_candidates, train_folds
from graft.repeated.cross_validation import empty_table as empty_folds
from graft.repeated.learning_curve import empty_table as empty_curve
from graft.repeated.learning_curve import train_learning_curve
from graft.repeated.settings import RepeatedFinetuning
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows
from graft.strategies import linear_probe
from graft.transfer.settings import Strategy

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
            predict=parameters.predict,
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
    model = ModelReference.to(folder)
    return [PulledSource("lung", model, weight) for weight in (0.01, 1.0)]


def run_all(trainings, sources, folder):
    """The results of training from scratch, from both sources, and of a linear probe."""
    planned = [trainings.plan_one("scratch", "scratch", ROWS, 3)]
    for source in sources:
        planned.append(trainings.plan_one("transfer", "l2-sp", ROWS, 3, source))
    planned.append(trainings.plan_one("frozen", "frozen", ROWS, 3, sources[0]))
    return collect_results("cross_validate", planned, folder)


def candidates_of(sources: list[PulledSource], *strategies: Strategy) -> list[Candidate]:
    return all_candidates({"lung": sources[0].model}, strategies, [0.01, 1.0, 0.01])


def named(candidates: list[Candidate]) -> list[tuple[str, str, float]]:
    return [(each.source.name, each.strategy, each.source.weight) for each in candidates]


def test_every_source_is_combined_with_every_strategy_and_lambda_once(sources):
    assert named(candidates_of(sources, "l2-sp", "frozen", "delta", "l2-sp")) == [
        ("lung", "l2-sp", 0.01),
        ("lung", "l2-sp", 1.0),
        ("lung", "frozen", 0.0),  # it has no λ
        ("lung", "delta", 0.01),
        ("lung", "delta", 1.0),
    ]


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


@pytest.mark.parametrize(
    "entry",
    [
        {"classes": ["cyst", "tumour"]},
        {"covariates": [{"name": "age", "kind": "number", "mean": 60.0, "std": 9.0}]},
        {"architecture": {**SHAPE, "name": "resnet-peaks"}},
    ],
)
def test_the_key_has_what_the_card_of_the_source_decides(trainings, sources, entry):
    """`head: auto` keeps the head only for equal classes and covariates."""
    (source, _) = sources
    before = trainings.plan_one("transfer", "l2-sp", ROWS, 3, source).key
    card = {**read_card(source.model.folder), **entry}
    network = build_network(**SHAPE, seed=7)
    save_model(source.model.folder, [network], card)
    changed = replace(source, model=ModelReference.to(source.model.folder))
    assert changed.model.weights_sha256 == source.model.weights_sha256
    assert trainings.plan_one("transfer", "l2-sp", ROWS, 3, changed).key != before


@pytest.mark.parametrize(
    "changes", [{"strategy": "source"}, {"head": "new"}, {"penalty": "l1"}, {"lr": 0.5}]
)
def test_the_key_of_scratch_has_the_recipe_and_nothing_about_a_source(trainings, changes):
    settings = trainings.settings
    finetune = settings.finetune.model_copy(update=changes)
    other = replace(trainings, settings=settings.model_copy(update={"finetune": finetune}))
    keys = [each.plan_one("scratch", "scratch", ROWS, 3).key for each in (trainings, other)]
    assert (keys[0] != keys[1]) == ("lr" in changes)


def test_the_table_of_folds_has_every_case_of_every_training(trainings, sources, tmp_path):
    table = train_folds(
        trainings,
        rows=np.arange(24),
        count=2,
        repeats=1,
        validation=0.25,
        candidates=candidates_of(sources, "l2-sp"),
        seed=1,
        cache=tmp_path,
    )
    assert list(table) == list(empty_folds(CLASSES))
    tested = table[table["part"] == "test"]
    for _, rows in tested.groupby(["arm", "lambda"]):
        assert sorted(rows["sample"]) == list(range(24))
    found = table[["arm", "source", "strategy", "lambda"]].drop_duplicates()
    assert found.to_numpy().tolist() == [
        ["scratch", "", "", 0.0],
        ["transfer", "lung", "l2-sp", 0.01],
        ["transfer", "lung", "l2-sp", 1.0],
    ]


@pytest.fixture
def quick_probe(monkeypatch) -> None:
    """One regression instead of 31 for each probe without validation."""
    monkeypatch.setattr(linear_probe, "STRENGTHS", (1.0,))


@pytest.fixture
def planned(monkeypatch, quick_probe) -> list[tuple[str, Rows]]:
    """The arm and the rows of each training that is planned."""
    found = []
    plan = RepeatedTrainings.plan_one

    def record(self, name, arm, rows, *rest):
        found.append((arm, rows))
        return plan(self, name, arm, rows, *rest)

    monkeypatch.setattr(RepeatedTrainings, "plan_one", record)
    return found


def fold_table(trainings, candidates, folder) -> pd.DataFrame:
    """Two folds of 24 patients, none of whom validate."""
    return train_folds(
        trainings,
        rows=np.arange(24),
        count=2,
        repeats=1,
        validation=0.0,
        candidates=candidates,
        seed=1,
        cache=folder,
    )


def test_inner_folds_predict_each_outer_training_case_once_and_never_a_patient_trained_on(
    trainings, sources, planned, tmp_path
):
    candidates = candidates_of(sources, "frozen", "source")
    table = fold_table(trainings, candidates, tmp_path)
    assert len(planned) == 2 * (1 + 2 * (1 + 5))
    patients = trainings.domain.index["patient"].to_numpy()
    for _, rows in planned:
        assert not set(patients[rows.train]) & set(patients[rows.predicted])
        assert len(rows.validation) == 0
    for (fold, strategy), rows in table.groupby(["fold", "strategy"]):
        tested = rows["sample"][rows["part"] == "test"].tolist()
        validated = rows["sample"][rows["part"] == "validation"].tolist()
        outside = [] if strategy == "" else [row for row in range(24) if row not in tested]
        assert sorted(validated) == outside
        held_out = set(patients[tested])
        inner = [each for arm, each in planned if arm == strategy and len(each.predicted) < 12]
        mine = [each for each in inner if not held_out & set(patients[each.predicted])]
        assert len(mine) == (0 if strategy == "" else 5), (fold, strategy)
        for each in mine:  # the patients of the tested fold train no inner network
            assert not held_out & set(patients[each.train])


def test_labels_of_inner_held_out_patients_do_not_change_what_is_predicted_for_them(
    trainings, sources, planned, tmp_path
):
    """A network that had trained on them would predict something else."""
    before = fold_table(trainings, candidates_of(sources, "frozen", "source"), tmp_path)
    number = next(k for k, (_, rows) in enumerate(planned) if len(rows.predicted) < 12)
    arm, inner = planned[number]
    assert arm == "frozen"

    def change(domain: Domain) -> Domain:
        index = domain.index.copy()
        other = dict(zip(CLASSES, reversed(CLASSES), strict=True))
        index.loc[inner.predicted, "label"] = index.loc[inner.predicted, "label"].map(other)
        return replace(domain, index=index)

    changed = change_target(trainings, change)
    seed = derive(1, "cross_validate", 0)
    (result,) = changed.collect([changed.plan_one("again", arm, inner, seed, sources[0])], tmp_path)
    kept = (before["strategy"] == arm) & (before["part"] == "validation") & (before["fold"] == 1)
    found = before[kept & before["sample"].isin(inner.predicted)]
    assert np.array_equal(found[["p_benign", "p_malignant"]].to_numpy(), result["predicted"])


def test_one_candidate_needs_no_inner_folds(trainings, sources, planned, tmp_path):
    table = fold_table(trainings, candidates_of(sources, "frozen"), tmp_path)
    assert [arm for arm, _ in planned] == ["scratch", "frozen"] * 2
    assert set(table["part"]) == {"test"}


def test_the_table_of_a_curve_has_the_test_part_for_every_arm_and_share(
    trainings, sources, tmp_path
):
    parts = {"train": ROWS.train, "validation": ROWS.validation, "test": ROWS.predicted}
    table, kept = train_learning_curve(
        trainings,
        parts=parts,
        shares=[1.0, 0.5, 1.0],
        draws=1,
        source=sources[0],
        arms=["frozen", "scratch", "source"],
        seed=1,
        cache=tmp_path,
    )
    assert list(table) == list(empty_curve(CLASSES))
    found = []
    for (share, arm), rows in table.groupby(["share", "arm"], sort=False):
        found.append((share, arm))
        assert rows["sample"].tolist() == ROWS.predicted.tolist()
    arms = ["scratch", "l2-sp", "frozen", "source"]
    assert found == [(share, arm) for share in (0.5, 1.0) for arm in arms]
    assert table.groupby("share")["patients"].first().tolist() == [10, 18]


def test_a_curve_without_validation_part_trains_on_all_labelled_patients(
    trainings, sources, planned, tmp_path
):
    table, kept = train_learning_curve(
        trainings,
        parts={"train": np.arange(18), "test": ROWS.predicted},
        shares=[0.5, 1.0],
        draws=1,
        source=sources[0],
        arms=[],
        seed=1,
        cache=tmp_path,
    )
    assert [(arm, len(rows.train), len(rows.validation)) for arm, rows in planned] == [
        ("scratch", 8, 0),
        ("l2-sp", 8, 0),
        ("scratch", 18, 0),
        ("l2-sp", 18, 0),
    ]
    assert table.groupby("share")["patients"].first().tolist() == [8, 18]


def test_strategies_without_lambda_have_one_key_and_others_one_for_each(trainings, sources):
    def key(arm: str, source: PulledSource) -> str:
        return str(trainings.plan_one(arm, arm, ROWS, 3, source).key)

    assert key("frozen", sources[0]) == key("frozen", sources[1])
    assert key("l2-sp", sources[0]) != key("l2-sp", sources[1])
    assert key("l2-sp", sources[0]) != key("lp-ft", sources[0])
