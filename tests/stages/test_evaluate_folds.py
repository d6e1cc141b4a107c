"""The stage on a target without a validation part."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from graft.common.files import InputError, read_json
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.split import read_folds, read_split
from graft.data.task import NO_ROWS, make_task
from graft.networks.build import build_network
from graft.networks.card import read_card
from graft.networks.out_of_fold import fold_folder, read_out_of_fold, write_out_of_fold
from graft.networks.saved import WEIGHTS, load_model, save_model
from graft.training.fitting import parent_reference
from stages import evaluate, paths
from tests.processed import read_parts, write_parts
from tests.seals import reseal
from tests.stages.test_evaluate import CLASSES, project, write_models  # noqa: F401

FOLDS = (1, 2, 3)


@pytest.fixture
def folded(project: Path) -> Path:  # noqa: F811
    """The project with a target that has folds, and with networks of random weights for each."""
    write_parts("liver", read_parts("liver").replace("validation", "train"))
    write_models()
    for name, folder in evaluate.MODELS.items():
        write_networks_of_folds(folder, evaluate.PARENTS[name])
    return project


def write_networks_of_folds(folder: Path, parent: Path | None) -> None:
    domain = Domain.read(Path("data/processed/liver"))
    split_file = Path("data/splits/liver.csv")
    train = read_split(split_file, domain.index)["train"]
    folds = read_folds(split_file, domain.index)
    shape = read_card(folder)["architecture"]
    predicted = np.zeros((len(train), 2))
    for fold in FOLDS:
        place = fold_folder(folder, fold)
        place.mkdir(parents=True)
        task = make_task(domain, train[folds != fold], NO_ROWS, torch.device("cpu"))
        start = parent
        if parent not in (None, paths.PRETRAINED):
            start = fold_folder(parent, fold)
        reference = start and parent_reference(start)
        card = {"architecture": shape, "classes": CLASSES, "data": task.sha256()}
        seed = fold + len(str(folder))
        save_model(place, [build_network(**shape, seed=seed)], card | {"parent": reference})
        rows = train[folds == fold]
        predicted[folds == fold] = load_model(place).predict(ImageRows(domain.images, rows))
    write_out_of_fold(folder, train, folds, predicted, CLASSES)


def test_out_of_fold_predictions_decide_thresholds_and_the_choice(folded, capsys):
    for name in ("scratch", "bagging", "boosting"):  # no stage continues from these
        for fold in FOLDS:
            (fold_folder(evaluate.MODELS[name], fold) / WEIGHTS).unlink()
    evaluate.main()
    metrics = read_json(paths.METRICS_DOCUMENT)
    assert metrics["validated"] == {"by": "folds", "folds": 3, "patients": 12, "lesions": 24}
    assert metrics["target"]["counts"]["validation"] is None
    domain = Domain.read(Path("data/processed/liver"))
    losses = {}
    for name, folder in evaluate.MODELS.items():
        table = read_out_of_fold(folder, CLASSES)
        disease = table["p_malignant"].to_numpy()
        labels = domain.index["label"][table["sample"]] == "malignant"
        losses[name] = log_loss(labels, disease)
        found = metrics["models"][name]["validation"]["log_loss"]
        assert found == pytest.approx(losses[name], abs=1e-5)
    best = min(losses, key=losses.get)
    assert metrics["chosen"] == {"model": best, "by": "out-of-fold log loss"}
    names = [row["name"] for row in metrics["checks"][-8:]]
    assert names[:3] == ["out-of-fold data", "out-of-fold parents", "out-of-fold predictions"]
    assert names[3:] == ["thresholds", "tuning", "choice", "release", "quantiles"]
    found = {row["name"]: row["found"] for row in metrics["checks"]}
    assert found["out-of-fold predictions"].startswith("48 predictions repeated")
    printed = capsys.readouterr().out
    assert "Labels of liver: 12 patients (24 lesions) to train on, and none more" in printed
    assert "best by out-of-fold log loss" in printed


def test_a_network_that_saw_its_own_fold_stops_the_evaluation(folded):
    of_all = read_card(evaluate.MODELS["scratch"])["data"]
    path = fold_folder(evaluate.MODELS["scratch"], 2) / "card.json"
    reseal(path, lambda card: card.update(data=of_all))
    message = f"^{path}: trained on train and fold 2, expected the part train of liver outside of"
    with pytest.raises(InputError, match=message):
        evaluate.main()
    assert not paths.METRICS_DOCUMENT.exists()


def test_a_file_of_a_fold_that_is_missing_or_damaged_is_named(folded):
    folder = evaluate.MODELS["regularized"]
    for path in (folder / "out_of_fold.csv", folder / "folds/3/card.json"):
        content = path.read_bytes()
        path.unlink()
        assert_refused(path)
        path.write_bytes(content)
    weights = folder / "folds/1" / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert_refused(weights)


def assert_refused(path: Path) -> None:
    with pytest.raises(InputError, match=f"^{path}: ") as caught:
        evaluate.main()
    assert "\n" not in str(caught.value)
    assert not paths.METRICS_DOCUMENT.exists()
