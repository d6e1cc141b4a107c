"""Self-supervision on real files: from the check before it to the models that start from it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from graft.audit.cards import TrainedModel, check_cards
from graft.audit.seen_images import check_seen_images
from graft.common.files import InputError
from graft.data.domain import Domain, write_domain
from graft.data.split import read_split
from graft.duplicates import fingerprints
from graft.leakage.rows import CheckRow, read_checks
from graft.networks.card import NO_MODEL, has_model
from graft.networks.saved import load_model
from graft.selfsupervised.without_labels import (
    read_images_without_labels,
    write_images_without_labels,
)
from stages import check, finetune, paths, pretrain, self_supervise, split
from tests.processed import CLASSES, about, write_two_sites
from tests.seals import reseal
from tests.small_target import ROOT, edit_parameters


def write_processed(name: str) -> None:
    """A processed domain of 60 patients with a plane each, a quarter of them of site-b."""
    images = np.random.default_rng(len(name)).random((60, 1, 16, 16)).astype(np.float16)
    images[1::2, :, 4:8, 4:8] /= 2
    write_two_sites(name, images)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yaml = YAML()
    parameters = yaml.load(ROOT / "params.yaml")
    split_of_target = {"test": 0.4, "validation": 0.2, "labelled": 0.5}
    parameters["domains"]["liver"]["split"] |= split_of_target
    yaml.dump(parameters, Path("params.yaml"))
    edit_parameters(
        training={"device": "cpu"},
        self_supervise={"epochs": 2, "batch": 16},
        pretrain={"epochs": 1},
        finetune={"epochs": 1},
    )
    for name in ("lung", "liver"):
        write_processed(name)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


def set_seed(seed: int) -> None:
    yaml = YAML()
    parameters = yaml.load(Path("params.yaml"))
    parameters["seed"] = seed
    yaml.dump(parameters, Path("params.yaml"))


def listed() -> dict[str, list[int]]:
    entries = read_images_without_labels(paths.WITHOUT_LABELS)
    return {name: list(entry["samples"]) for name, entry in entries.items()}


def parts_of(name: str) -> tuple[Domain, dict[str, np.ndarray]]:
    domain = Domain.read(paths.processed(name))
    return domain, read_split(paths.split(name), domain.index)


def weights(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


def audit() -> CheckRow:
    """The audit of models/self_supervised, as evaluate runs it."""
    domains = [parts_of("lung"), parts_of("liver")]
    before = read_checks(paths.CHECKS, "lung", "liver", [])
    return check_seen_images(paths.SELF_SUPERVISED, paths.WITHOUT_LABELS, domains, before)


def test_it_learns_from_training_and_unlabelled_images_and_pretraining_starts_from_it(
    project, capsys
):
    check.main()
    rows = listed()
    parts = {name: parts_of(name)[1] for name in ("lung", "liver")}
    assert rows["lung"] == parts["lung"]["train"].tolist()  # split.labelled is 1
    assert set(parts["liver"]["train"]) < set(rows["liver"])
    for name in rows:
        for part in ("validation", "test", "external"):
            assert not set(rows[name]) & set(parts[name][part])
    self_supervise.main()
    printed = capsys.readouterr().out
    assert f"learns from {len(rows['lung'])} of lung and {len(rows['liver'])} of liver" in printed
    assert "self_supervise: epoch 1/2  train loss " in printed
    card = json.loads((paths.SELF_SUPERVISED / "card.json").read_text())
    assert card["classes"] == []
    assert card["parent"] is None
    assert {name: seen["images"] for name, seen in card["data"].items()} == {
        name: len(samples) for name, samples in rows.items()
    }
    curve = (paths.CURVES / "self_supervise/plots/metrics/train_loss.tsv").read_text()
    assert len(curve.splitlines()) == 3
    pretrain.main()
    assert "pretrain: starts from models/self_supervised" in capsys.readouterr().out
    with_it = weights(paths.PRETRAINED)
    domain, parts_of_lung = parts_of("lung")
    trained = TrainedModel(paths.PRETRAINED, paths.SELF_SUPERVISED, domain, parts_of_lung)
    *_, parent = check_cards({"pretrained": trained})
    assert parent["found"] == "weights of models/self_supervised, by SHA-256"
    assert audit()["looked_at"].endswith("images that models/self_supervised learned from")

    edit_parameters(self_supervise={"epochs": 0})
    check.main()
    self_supervise.main()
    pretrain.main()
    assert weights(paths.PRETRAINED) != with_it
    assert json.loads((paths.PRETRAINED / "card.json").read_text())["parent"] is None


def test_it_gives_the_same_bytes_twice_wherever_the_images_are(project):
    check.main()
    found = []
    for memory in (0.5, 0.0):
        edit_parameters(training={"memory": memory})
        self_supervise.main()
        files = sorted(paths.SELF_SUPERVISED.iterdir())
        found.append([path.read_bytes() for path in files])
        assert not list(paths.CHECKPOINTS.rglob("*.checkpoint"))
    assert found[0] == found[1]


def test_what_it_writes_if_it_is_off_depends_on_nothing(project):
    edit_parameters(self_supervise={"epochs": 0})
    written = []
    for seed in (1, 2):
        set_seed(seed)
        for name in ("lung", "liver"):
            split.main(name)
        check.main()
        self_supervise.main()
        files = [paths.WITHOUT_LABELS, paths.SELF_SUPERVISED / NO_MODEL]
        files += sorted((paths.CURVES / "self_supervise").rglob("*.tsv"))
        written.append([path.read_bytes() for path in files])
    assert written[0] == written[1]
    assert not has_model(paths.SELF_SUPERVISED)


def test_the_source_alone_gives_no_image_of_the_target(project):
    edit_parameters(self_supervise={"domains": "source"})
    check.main()
    assert list(listed()) == ["lung"]
    self_supervise.main()
    assert list(json.loads((paths.SELF_SUPERVISED / "card.json").read_text())["data"]) == ["lung"]
    assert audit()["domain"] == "lung"


def test_fine_tuning_may_start_from_it_without_pretraining(project, capsys):
    edit_parameters(pretrain={"source": "self-supervised"})
    check.main()
    self_supervise.main()
    pretrain.main()
    finetune.main("transfer")
    card = json.loads((paths.PRETRAINED / "card.json").read_text())
    assert card["classes"] == []
    assert card["parent"]["folder"] == "models/self_supervised"
    assert card["weights"]["source"] == "self-supervised"
    body = load_model(paths.SELF_SUPERVISED).networks[0]
    adopted = load_model(paths.PRETRAINED).networks[0]
    assert torch.equal(body.body.stem.weight, adopted.body.stem.weight)
    assert "finetune-transfer: from models/pretrained: " in capsys.readouterr().out
    domain, parts = parts_of("lung")
    trained = TrainedModel(paths.PRETRAINED, paths.SELF_SUPERVISED, domain, parts)
    (parent,) = check_cards({"pretrained": trained})
    assert parent["found"] == "weights of models/self_supervised, by SHA-256"


def plant(row: int, image: np.ndarray) -> None:
    """Put an image into a row of the target, as if the raw data had contained it."""
    domain, _ = parts_of("liver")
    images = np.array(domain.images)
    images[row] = image
    index = domain.index.assign(hash=fingerprints.fingerprint_images(images))
    write_domain(paths.processed("liver"), Domain("liver", images, index, CLASSES, about(images)))
    split.main("liver")


@pytest.mark.parametrize("name", ["liver", "lung"])
def test_a_test_image_among_those_without_labels_stops_the_pipeline(project, name):
    check.main()
    _, target_parts = parts_of("liver")
    unused = next(
        row for row in listed()["liver"] if row not in target_parts["train"] and row % 2 == 1
    )
    domain, parts = parts_of(name)
    judged = next(row for row in parts["test"] if row % 2 == 1)  # of the same class
    plant(unused, np.array(domain.images[judged]))
    with pytest.raises(InputError) as caught:
        check.main()
    assert str(caught.value).startswith(
        "domains.liver: 1 image for self-supervision would be used to evaluate a model: "
        f"manifest.csv:{unused + 2} (unused) and manifest.csv:{judged + 2} (test), "
    )
    assert not paths.LEAKS_CHECKED.exists()
    edit_parameters(self_supervise={"epochs": 0})
    check.main()  # an image whose label is unused and that no network sees is no leak


def test_the_audit_finds_a_network_that_learned_from_other_images(project):
    check.main()
    self_supervise.main()
    domain, _ = parts_of("lung")
    changed = reseal_data()
    with pytest.raises(InputError, match=r"card.json: learned from other images than those in"):
        audit()
    reseal(paths.SELF_SUPERVISED / "card.json", lambda card: card.update(data=changed))
    audit()
    (paths.WITHOUT_LABELS).unlink()
    write_images_without_labels(paths.WITHOUT_LABELS, [(domain, parts_of("lung")[1]["test"])])
    with pytest.raises(InputError, match="images of .* patients in the part test of lung, expec"):
        audit()


def reseal_data() -> dict:
    """Change a hash in the card, and return what was there before."""
    before: dict = {}

    def change(card: dict) -> None:
        before.update(json.loads(json.dumps(card["data"])))
        card["data"]["lung"]["images_sha256"] = "0" * 64

    reseal(paths.SELF_SUPERVISED / "card.json", change)
    return before


def test_the_audit_needs_the_check_before_training(project):
    edit_parameters(self_supervise={"epochs": 0})
    check.main()
    with pytest.raises(InputError, match="no check 'self-supervision' came before its training"):
        audit()
