"""The stage with weights trained elsewhere, and the stages that follow it, on real files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from torchvision.models import get_model

from graft.common.files import InputError
from graft.config.parameters import load_parameters
from graft.data.domain import Domain, write_domain
from graft.networks import saved
from graft.networks.card import write_no_model
from stages import finetune, paths, pretrain
from tests.processed import write_parts

ROOT = Path(__file__).parents[2]
CLASSES = ["benign", "malignant"]


def write_processed(name: str) -> None:
    """A processed domain of 24 grey planes, bright in the middle where malignant, and its split."""
    label = np.arange(24) % 2
    images = np.random.default_rng(len(name)).random((24, 1, 32, 32)) / 2
    images[label == 1, :, 12:20, 12:20] += 0.4
    index = pd.DataFrame(
        {
            "sample": np.arange(24),
            "patient": [f"p{i:02}" for i in range(24)],
            "label": np.array(CLASSES)[label],
            "site": "",
            "split": "",
            "origin": "",
            "size": 1.0,
            "hash": "",
        }
    )
    write_domain(
        Path("data/processed") / name, Domain(name, images, index, CLASSES, {"spacing": None})
    )
    parts = np.array(["train", "train", "validation", "test"])[np.arange(24) // 2 % 4]
    write_parts(name, parts)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["preprocess"] |= {"patch": [32, 32], "spacing": [1.0, 1.0]}
    params["network"]["name"] = "torchvision-resnet18"
    params["pretrain"]["source"] = "theirs.pth"
    params["training"] |= {"device": "cpu", "batch": 4}
    params["finetune"] |= {"epochs": 1, "lr": 0.0001}
    yaml.dump(params, tmp_path / "params.yaml")
    for name in ("lung", "liver"):
        write_processed(name)
    write_no_model(paths.SELF_SUPERVISED, "no epochs")
    torch.manual_seed(0)
    torch.save(get_model("resnet18").state_dict(), tmp_path / "theirs.pth")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def test_foreign_weights_are_carried_into_finetune_and_keep_their_statistics(project, capsys):
    pretrain.main()
    assert (
        "pretrain: from theirs.pth, stem summed over 3 channels: 100 tensors loaded"
        in capsys.readouterr().out
    )
    card = json.loads(Path("models/pretrained/card.json").read_text())
    assert card["classes"] == []
    assert card["weights"]["file"] == "theirs.pth"
    assert str(project) not in json.dumps(card)
    for name in ("train_loss", "validation_loss"):  # what dvc.yaml plots
        assert (
            Path(f"metrics/curves/pretrain/plots/metrics/{name}.tsv").read_text()
            == f"step\t{name}\n"
        )
    finetune.main("transfer")
    finetune.main("scratch")
    assert (
        "finetune-transfer: from models/pretrained: 100 tensors loaded, 2 new"
        in capsys.readouterr().out
    )
    theirs = torch.load("theirs.pth", weights_only=True)
    transfer, scratch = (
        saved.load_model(Path("models/finetuned") / init).networks[0]
        for init in ("transfer", "scratch")
    )
    assert torch.equal(transfer.body.bn1.running_var, theirs["bn1.running_var"])
    assert not torch.equal(transfer.body.bn1.weight, theirs["bn1.weight"])
    assert isinstance(scratch.body.bn1, torch.nn.GroupNorm)


def use_model() -> None:
    """Set params.yaml to fine-tune from the folder of a model that was trained on `lung`."""
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["network"]["name"] = "resnet"
    params["pretrain"] |= {"source": "lung", "epochs": 1}
    yaml.dump(params, Path("params.yaml"))
    pretrain.main()
    Path("models/pretrained").rename("models/theirs")
    params["pretrain"]["source"] = "models/theirs"
    yaml.dump(params, Path("params.yaml"))


def test_a_model_that_graft_trained_elsewhere_is_carried_into_finetune_with_its_head(
    project, capsys
):
    use_model()
    load_parameters(Path("params.yaml"))
    pretrain.main()
    card = json.loads(Path("models/pretrained/card.json").read_text())
    theirs = json.loads(Path("models/theirs/card.json").read_text())
    assert card["classes"] == CLASSES
    assert card["weights"]["sha256"] == theirs["weights_sha256"] == card["weights_sha256"]
    assert card["scores"] == theirs["scores"]
    finetune.main("transfer")
    printed = capsys.readouterr().out
    assert "pretrain: from models/theirs, with its head: 19 tensors loaded, 0 new" in printed
    assert "finetune-transfer: from models/pretrained: 19 tensors loaded, 0 new" in printed


def test_a_model_of_another_network_is_refused(project):
    use_model()
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["network"]["width"] = 16
    yaml.dump(params, Path("params.yaml"))
    with pytest.raises(InputError, match="network.width: got 16, expected 8 as in models/theirs"):
        pretrain.main()
    assert not Path("models/pretrained").exists()


def test_a_folder_without_a_model_is_no_source(project):
    use_model()
    Path("models/theirs/card.json").unlink()
    with pytest.raises(InputError, match="pretrain.source: got 'models/theirs', .* folder of a"):
        load_parameters(Path("params.yaml"))


def test_weights_for_another_network_leave_the_former_model(project):
    pretrain.main()
    before = Path("models/pretrained/card.json").read_bytes()
    torch.save(get_model("resnet34").state_dict(), "theirs.pth")
    with pytest.raises(
        InputError, match="theirs.pth: pretrained weights: .* expected the same architecture"
    ):
        pretrain.main()
    assert Path("models/pretrained/card.json").read_bytes() == before


def test_the_share_of_memory_changes_no_byte_of_a_model(project, capsys):
    found = []
    for memory in (0.5, 0.0):
        yaml = YAML()
        params = yaml.load(Path("params.yaml"))
        params["network"]["name"] = "resnet"
        params["pretrain"] |= {"source": "lung", "epochs": 1}
        params["training"]["memory"] = memory
        yaml.dump(params, Path("params.yaml"))
        pretrain.main()
        in_file = "more than training.memory allows" in capsys.readouterr().out
        assert in_file == (memory == 0)
        files = sorted(Path("models/pretrained").iterdir())
        assert [path.name for path in files] == ["card.json", "weights.safetensors"]
        found.append([path.read_bytes() for path in files])
    assert found[0] == found[1]
