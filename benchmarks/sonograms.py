"""58 liver sonograms through the ResNet-18 example by 5-fold cross-validation: what so few pictures can say.

    python -m benchmarks.sonograms --weights resnet18.pth

Clones the committed HEAD, lays the pictures out as a manifest, and trains one network a fold with the parameters of
`examples/resnet18`, but for the size of the pictures (--side). Each picture is tested once, by a network that has not
seen it; the next fold is for validation. The 58 predictions are judged together, with 95 % intervals over pictures, as
the data names no patients. Beside the network from scratch runs the one that starts from --weights, a state dict of
torchvision's resnet18 (ImageNet's, say), where that is given. --data is a folder with liver_us/labels.csv.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from sklearn.model_selection import StratifiedKFold

from benchmarks import clone
from benchmarks.real_data import VARIABLE
from graft.common.files import InputError
from graft.common.seeds import generator
from graft.console import run, say
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.networks.saved import load_model
from graft.statistics.cases import Assessment, Cases, estimates, score_model

LABELS = Path("liver_us/labels.csv")
CLASSES = ["benign", "malignant"]
FOLDS, SEED = 5, 42
RESAMPLES, CONFIDENCE = 2000, 0.95


def main(*words: str) -> None:
    arguments = parse(words)
    labels = arguments.data / LABELS
    if not labels.is_file():
        raise InputError(
            f"{labels}: is missing; name the folder of the data by --data or {VARIABLE}"
        )
    table = pd.read_csv(labels)
    pictures = pd.DataFrame(
        {
            "patient": table["path"],
            "image": table["path"],
            "label": table["malignant"].map(dict(enumerate(CLASSES))),
        }
    )
    inits = ("scratch", "transfer") if arguments.weights else ("scratch",)
    with tempfile.TemporaryDirectory(prefix="graft-") as parent:
        folder = Path(parent) / "clone"
        clone.clone(folder)
        shutil.copytree(labels.parent / "images", folder / "data/raw/liver_images/images")
        set_params(folder, arguments.side, arguments.weights)
        cases, said = [], {name: [] for name in (*inits, "size alone")}
        for number, parts in enumerate(folds(pictures["label"]), 1):
            clone.note(f"sonograms: fold {number} of {FOLDS}")
            pictures.assign(split=parts).to_csv(
                folder / "data/raw/liver_images/manifest.csv", index=False
            )
            clone.dvc(folder, "repro", *(f"finetune@{init}" for init in inits))
            study = EvaluatedDomain.from_files(
                folder / "data/processed/liver", folder / "data/splits/liver.csv", 0, SEED
            )
            cases.append(study.cases["test"].rows)
            for init in inits:
                said[init].append(study.assess(load_model(folder / "models/finetuned" / init)))
            said["size alone"].append(study.assess_size_alone())
    for line in report(
        Cases.of(pd.concat(cases), CLASSES, RESAMPLES, generator(SEED, "bootstrap")), said
    ):
        say(line)


def parse(words: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sonograms", description=__doc__.splitlines()[0]
    )
    default = Path(os.environ.get(VARIABLE) or clone.ROOT.parent / "shared/data")
    parser.add_argument(
        "--data", type=Path, default=default, help="folder of the real data (default: %(default)s)"
    )
    parser.add_argument(
        "--weights", type=Path, help="state dict of torchvision's resnet18 to start from"
    )
    parser.add_argument(
        "--side", type=int, default=64, help="pixels a side (default: %(default)s; 224 wants a GPU)"
    )
    return parser.parse_args(words)


def folds(labels: pd.Series) -> Iterator[np.ndarray]:
    """The part of each picture, fold by fold: one fold tests, the next validates, the others teach."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    tested = np.empty(len(labels), int)
    for number, (_, rows) in enumerate(splitter.split(labels, labels)):
        tested[rows] = number
    for number in range(FOLDS):
        yield np.select(
            [tested == number, tested == (number + 1) % FOLDS], ["test", "validation"], "train"
        )


def set_params(folder: Path, side: int, weights: Path | None) -> None:
    """The example's parameters, with pictures of another size and weights from a file."""
    yaml = YAML()
    content = yaml.load(folder / "examples/resnet18/params.yaml")
    content["preprocess"]["patch"] = [side, side]
    if weights:
        shutil.copyfile(weights, folder / f"weights{weights.suffix}")
        content["pretrain"]["source"] = f"weights{weights.suffix}"
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(content, file)


def report(cases: Cases, said: dict[str, list[Assessment]]) -> Iterator[str]:
    """A row a model: AUROC with its interval, and what the calls at each fold's own threshold come to."""
    yield "| | AUROC (95 % interval) | accuracy | recall | F1 |"
    yield "| --- | --- | --- | --- | --- |"
    for name, assessments in said.items():
        probabilities = np.concatenate([one.probabilities["test"] for one in assessments])
        auroc = estimates(score_model(cases, probabilities, None), CONFIDENCE)["auroc"]
        (tn, fp), (fn, tp) = sum(one.confusions["test"] for one in assessments)
        accuracy, recall, f1 = (
            (tn + tp) / (tn + fp + fn + tp),
            tp / (tp + fn),
            2 * tp / (2 * tp + fp + fn),
        )
        yield (
            f"| {name} | {auroc['value']:.3f} [{auroc['low']:.3f}, {auroc['high']:.3f}] "
            f"| {accuracy:.3f} | {recall:.3f} | {f1:.3f} |"
        )


if __name__ == "__main__":
    run(main)
