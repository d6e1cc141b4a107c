"""58 liver sonograms through the ResNet-18 example by 5-fold cross-validation.

    python -m benchmarks.sonograms --data <folder> --weights resnet18.pth

Clones the committed HEAD, writes the pictures as a manifest, and trains one network per fold with
the parameters of `examples/resnet18`, except for the size of the pictures (--side). Each picture
is tested once, by a network that was not trained on it; the next fold is for validation. The 58
predictions are evaluated together, with 95 % intervals over pictures, because the data names no
patients. With --weights (a state dict of torchvision's resnet18, such as ImageNet's) a second
network starts from these weights. --data is a folder with liver_us/labels.csv.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from ruamel.yaml import YAML
from sklearn.model_selection import StratifiedKFold

from benchmarks.clone import fresh_clone, print_note, run_dvc
from benchmarks.lung_to_adrenal import VARIABLE, require_files
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.seeds import generator
from graft.console import run, say
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.networks.saved import load_model
from graft.statistics.cases import Assessment, Cases, estimates, score_model
from graft.statistics.formatting import format_estimate

LABELS = Path("liver_us/labels.csv")
RAW = Path("data/raw/liver_images")  # the raw domain of the example
CLASSES = ["benign", "malignant"]
FOLDS = 5
SEED = 42
RESAMPLES = 2000
CONFIDENCE = 0.95
SIZE_ALONE = "size alone"


def main(
    data: Annotated[Path, typer.Option(envvar=VARIABLE, help="The folder of the real data.")],
    weights: Annotated[
        Path | None,
        typer.Option(help="The state dict of torchvision's resnet18 to start a network from."),
    ] = None,
    side: Annotated[
        int, typer.Option(help="The pixels per side of a picture; 224 needs a GPU.")
    ] = 64,
) -> None:
    """Cross-validate the ResNet-18 example on 58 liver sonograms."""
    require_files(data, LABELS)
    pictures = read_pictures(data / LABELS)
    starts = ["scratch", "transfer"] if weights else ["scratch"]
    tested = []
    assessments: dict[str, list[Assessment]] = defaultdict(list)
    with fresh_clone() as folder:
        shutil.copytree((data / LABELS).parent / "images", folder / RAW / "images")
        write_parameters(folder, side, weights)
        for number, parts in enumerate(fold_parts(pictures["label"]), 1):
            print_note(f"sonograms: fold {number} of {FOLDS}")
            pictures.assign(split=parts).to_csv(folder / RAW / "manifest.csv", index=False)
            run_dvc(folder, "repro", *(f"finetune@{start}" for start in starts))
            study = read_study(folder)
            tested.append(study.cases["test"].rows)
            for start in starts:
                model = load_model(folder / "models/finetuned" / start)
                assessments[start].append(study.assess(model))
            assessments[SIZE_ALONE].append(study.assess_size_alone())
    random = generator(SEED, "bootstrap")
    cases = Cases.of(pd.concat(tested), CLASSES, RESAMPLES, random)
    for line in result_table(cases, assessments):
        say(line)


def read_pictures(labels: Path) -> pd.DataFrame:
    """Return the columns of a manifest; each picture counts as a patient."""
    table = pd.read_csv(labels)
    names = dict(enumerate(CLASSES))
    return pd.DataFrame(
        {
            "patient": table["path"],
            "image": table["path"],
            "label": table["malignant"].map(names),
        }
    )


def read_study(folder: Path) -> EvaluatedDomain:
    """Return the target domain of a clone with its split, without resamples."""
    split = folder / "data/splits/liver.csv"
    return EvaluatedDomain.from_files(folder / "data/processed/liver", split, 0, SEED)


def fold_parts(labels: pd.Series) -> Iterator[np.ndarray]:
    """Yield the part of each picture, fold by fold.

    One fold is for the test, the next for validation, and the others for training.
    """
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    fold_of = np.empty(len(labels), int)
    for number, (_, rows) in enumerate(splitter.split(labels, labels)):
        fold_of[rows] = number
    for number in range(FOLDS):
        is_test = fold_of == number
        is_validation = fold_of == (number + 1) % FOLDS
        yield np.select([is_test, is_validation], ["test", "validation"], "train")


def write_parameters(folder: Path, side: int, weights: Path | None) -> None:
    """Write the example's parameters, with pictures of another size and weights from a file."""
    yaml = YAML()
    content = yaml.load(folder / "examples/resnet18/params.yaml")
    content["preprocess"]["patch"] = [side, side]
    if weights:
        name = f"weights{weights.suffix}"
        shutil.copyfile(weights, folder / name)
        content["pretrain"]["source"] = name
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(content, file)


def result_table(cases: Cases, assessments: Mapping[str, Sequence[Assessment]]) -> Iterator[str]:
    """Yield a table with a row per model: AUROC with its interval, and scores of the calls.

    The calls of each fold are made at the threshold of that fold.
    """
    yield from markdown_head("", "AUROC (95 % interval)", "accuracy", "recall", "F1")
    for name, folds in assessments.items():
        probabilities = np.concatenate([fold.probabilities["test"] for fold in folds])
        auroc = estimates(score_model(cases, probabilities, None), CONFIDENCE)["auroc"]
        confusion = np.stack([fold.confusions["test"] for fold in folds]).sum(0)  # (2, 2)
        true_negative, false_positive = confusion[0]
        false_negative, true_positive = confusion[1]
        wrong = false_positive + false_negative
        accuracy = (true_negative + true_positive) / confusion.sum()
        recall = true_positive / (true_positive + false_negative)
        f1 = 2 * true_positive / (2 * true_positive + wrong)
        scores = [f"{value:.3f}" for value in (accuracy, recall, f1)]
        yield markdown_row(name, format_estimate(auroc), *scores)


if __name__ == "__main__":
    run(main)
