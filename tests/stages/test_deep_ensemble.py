"""The trainings of the learning curve with all labels, as one model."""

from pathlib import Path

import pandas as pd
import pytest

from graft.audit.cards import TrainedModel, check_cards
from graft.common.files import InputError, read_sealed
from graft.common.seeds import derive
from graft.config.parameters import load_parameters
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.split import read_split
from graft.networks.saved import Model, load_model
from stages import learning_curve, paths
from tests.small_target import edit_parameters, write_model, write_project


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_project()
    write_model(paths.PRETRAINED)
    return tmp_path


@pytest.mark.parametrize("mirror", [False, True])
def test_its_members_are_the_trainings_with_all_labels(project, mirror):
    edit_parameters(
        predict={"mirror": mirror},
        learning_curve={"shares": [0.5], "draws": 2},
    )
    learning_curve.main()
    domain = Domain.read(paths.processed("liver"))
    rows = read_split(paths.split("liver"), domain.index)
    deep = load_model(paths.DEEP)
    assert deep.card["shares"] == [0.5, 0.5]
    assert deep.card["predict"]["mirror"] == mirror
    seeds = [derive(load_parameters(paths.PARAMETERS).seed, "learning_curve", k) for k in (0, 1)]
    assert deep.card["training"]["seeds"] == seeds
    table = pd.read_csv(paths.REPEATED["learning_curve"], comment="#")
    table = table[(table["share"] == 1) & (table["arm"] == "l2-sp")]
    test = ImageRows(domain.images, rows["test"])
    for draw, network in enumerate(deep.networks, start=1):
        alone = Model({**deep.card, "shares": [1.0]}, [network]).predict(test)
        saved = table[table["draw"] == draw]["p_malignant"].to_numpy()
        assert alone[:, 1] == pytest.approx(saved, abs=1e-7)
    trained = TrainedModel(paths.DEEP, paths.PRETRAINED, domain, rows)
    names = [check["name"] for check in check_cards({"deep": trained})]
    assert names == ["train data", "validation data", "encoding", "parent"]
    wrong = {**rows, "train": rows["train"][1:]}
    with pytest.raises(InputError, match="models/ensemble/deep/card.json: trained on data that"):
        check_cards({"deep": TrainedModel(paths.DEEP, paths.PRETRAINED, domain, wrong)})


@pytest.mark.parametrize("strategy", ["frozen", "source"])
def test_equal_networks_are_no_ensemble(project, strategy):
    edit_parameters(learning_curve={"shares": [], "draws": 2}, finetune={"strategy": strategy})
    learning_curve.main()
    note = read_sealed(paths.DEEP / "none.json")
    assert strategy in note["reason"]


@pytest.mark.parametrize("draws", [0, 1])
def test_fewer_than_two_trainings_are_no_ensemble(project, draws):
    edit_parameters(learning_curve={"shares": [], "draws": 2})
    learning_curve.main()
    assert (paths.DEEP / "card.json").exists()
    edit_parameters(learning_curve={"draws": draws})
    learning_curve.main()
    assert [path.name for path in paths.DEEP.iterdir()] == ["none.json"]
