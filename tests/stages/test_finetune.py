"""The stage that fine-tunes, by every kind of strategy, on real files with tiny images."""

import numpy as np
import pytest
import torch

from graft.common.files import InputError
from graft.networks.out_of_fold import read_out_of_fold
from graft.networks.saved import WEIGHTS, load_model
from graft.training import checkpoint, loop, parallel
from stages import finetune, paths
from tests.small_target import CLASSES, edit_parameters, write_model, write_project, write_target

TRANSFER = paths.FINETUNED["transfer"]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFT_WORKERS", "1")
    write_project()
    write_model(paths.PRETRAINED)


def fit(strategy: str, **finetuning: object) -> torch.nn.Module:
    edit_parameters(finetune={"strategy": strategy, **finetuning})
    finetune.main("transfer")
    return load_model(TRANSFER).networks[0]


def weights(network: torch.nn.Module, part: str) -> torch.Tensor:
    found = [tensor for name, tensor in network.named_parameters() if name.startswith(part)]
    return torch.cat([tensor.flatten() for tensor in found])


def test_the_card_names_the_strategy_and_lambda_if_it_has_one():
    source = load_model(paths.PRETRAINED).networks[0]
    frozen = fit("frozen")
    card = load_model(TRANSFER).card
    assert card["strategy"] == "frozen"
    assert "lambda" not in card
    assert card["scores"]["epoch"] == 0
    assert torch.equal(weights(frozen, "body"), weights(source, "body"))
    assert not torch.equal(weights(frozen, "head"), weights(source, "head"))

    edit_parameters(finetune={"epochs": 1})
    mixed = fit("wise-ft")
    card = load_model(TRANSFER).card
    assert (card["strategy"], card["lambda"]) == ("wise-ft", 0.01)
    share = card["scores"]["fine_tuned_share"]
    moved = not torch.equal(weights(mixed, "body"), weights(source, "body"))
    assert moved == (share > 0)

    unchanged = fit("source")
    assert torch.equal(weights(unchanged, ""), weights(source, ""))
    curves = paths.CURVES / "finetune-transfer/plots/metrics"
    assert (curves / "train_loss.tsv").exists()


def test_the_strategy_has_no_influence_on_training_from_scratch():
    written = []
    for finetuning in ({"strategy": "l2-sp"}, {"strategy": "frozen", "head": "new"}):
        edit_parameters(finetune={**finetuning, "epochs": 1})
        finetune.main("scratch")
        folder = paths.FINETUNED["scratch"]
        written.append([(folder / name).read_bytes() for name in ("card.json", WEIGHTS)])
    assert written[0] == written[1]


@pytest.mark.parametrize("strategy", ["frozen", "source"])
def test_a_strategy_without_training_starts_no_processes(strategy, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("its result would be thrown away")

    monkeypatch.setattr(parallel, "run_parallel", refuse)
    write_target(validation="train")
    fit(strategy)
    assert load_model(TRANSFER).card["strategy"] == strategy


def test_without_validation_part_each_fold_has_a_probe_of_its_own():
    write_target(validation="train")
    fit("frozen")
    table = read_out_of_fold(TRANSFER, CLASSES)
    assert set(table["fold"]) == {1, 2, 3}
    assert np.isfinite(table["p_malignant"]).all()


def test_a_source_with_other_classes_cannot_predict():
    write_model(paths.PRETRAINED, classes=["cyst", "tumour"], seed=8)
    with pytest.raises(InputError, match="finetune.strategy: got 'source'") as caught:
        fit("source")
    assert "\n" not in str(caught.value)
    assert not TRANSFER.exists()
    fit("frozen")
    assert load_model(TRANSFER).card["carried"]["new"] == ["head.bias", "head.weight"]


class KilledError(Exception):
    """A kill in the middle of a training."""


def test_a_killed_mixture_resumes_and_ends_in_the_same_bytes(monkeypatch):
    write_target(validation="train")
    monkeypatch.setattr("graft.strategies.inner_folds.INNER_FOLDS", 2)
    fit("wise-ft", epochs=2)
    complete = (TRANSFER / "weights.safetensors").read_bytes()
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)
    save, saved = loop.save_state, []

    def save_and_kill(state, place):
        save(state, place)
        saved.append(place)
        if len(saved) == 5:
            raise KilledError

    monkeypatch.setattr(loop, "save_state", save_and_kill)
    with pytest.raises(KilledError):
        finetune.main("transfer")
    finetune.main("transfer")
    assert (TRANSFER / "weights.safetensors").read_bytes() == complete
