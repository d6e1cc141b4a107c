"""Out-of-fold predictions, and the audit of the networks that they come from."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from graft.audit.cards import USES, TrainedModel, check_data, check_encoding, check_parent
from graft.common.files import InputError, check_sha256
from graft.common.shown import counted
from graft.data.image_rows import ImageRows
from graft.data.predictions import probability_columns
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.leakage.rows import CheckRow, passed_check
from graft.networks.card import CARD, read_card
from graft.networks.out_of_fold import FILE, fold_folder, read_out_of_fold
from graft.networks.saved import WEIGHTS, load_model

TOLERANCE = 1e-3  # of a probability, which another device computes with other rounding


def read_all_predictions(
    target: EvaluatedDomain, models: Mapping[str, TrainedModel]
) -> tuple[dict[str, np.ndarray], list[CheckRow]]:
    """Read what each model predicts out of fold, and check it; nothing if there are no folds.

    Args:
        target: the domain.
        models: by name.

    Returns:
        (T, C) of the training rows by each model, and a row for each check.

    Raises:
        InputError: as in `read_predictions_of` and `check_fold_networks`.
    """
    if target.validated_by != "folds":
        return {}, []
    found = {name: read_predictions_of(target, model.folder) for name, model in models.items()}
    return found, check_fold_networks(target, models, found)


def read_predictions_of(target: EvaluatedDomain, folder: Path) -> np.ndarray:
    """Read the training rows as predicted out of fold, in their order: (T, C).

    Args:
        target: a domain without validation part.
        folder: of a model.

    Raises:
        InputError: if the file cannot be read, or if its rows are not exactly the training rows in
            their folds.
    """
    classes = target.domain.classes
    table = read_out_of_fold(folder, classes)
    rows = target.rows["train"]
    samples = table["sample"].to_numpy()
    if not np.array_equal(samples, rows):
        others = np.setxor1d(samples, rows)
        which = f"sample {others[0]}" if len(others) else "a sample twice"
        raise InputError(
            f"{folder / FILE}: differs from the part train of {target.domain.name} by {which}, "
            f"expected its {counted(len(rows), 'sample')} and no other"
        )
    wrong = table["fold"].to_numpy() != target.folds
    if wrong.any():
        first = int(wrong.argmax())
        raise InputError(
            f"{folder / FILE}: has sample {samples[first]} in fold {table['fold'][first]}, "
            f"expected fold {target.folds[first]}, as in the split of {target.domain.name}"
        )
    return table[probability_columns(classes)].to_numpy(float)


def check_fold_networks(
    target: EvaluatedDomain,
    models: Mapping[str, TrainedModel],
    predictions: Mapping[str, np.ndarray],
) -> list[CheckRow]:
    """Check that each fold was predicted by a network that was trained on the other folds alone.

    This includes the networks that it started from, up to the pretrained one.

    Args:
        target: a domain without validation part.
        models: by name.
        predictions: (T, C) of the training rows by each model, out of fold.

    Returns:
        A row for each check.

    Raises:
        InputError: if the card of a fold's network differs from the split, or if the network, as
            far as its weights are kept, predicts something else.
    """
    number = int(target.folds.max())
    digests: dict[tuple[int, str], dict[str, str | None]] = defaultdict(dict)
    of_target = [model.folder for model in models.values()]
    compared = 0
    for name, model in models.items():
        if model.parent and model.parent not in of_target:
            _check_source(target, model.parent)
        for fold in range(1, number + 1):
            network = network_of_fold(target, model, fold, of_target)
            for part in USES:
                check_data(network, part, digests[fold, part])
            check_encoding(network)
            check_parent(network)
            if (network.folder / WEIGHTS).exists():  # a later stage started from them
                inside = target.folds == fold
                _check_predictions(network, predictions[name][inside])
                compared += int(inside.sum())
    domain, names = target.domain.name, ", ".join(models)
    trained = f"each of {counted(number, 'fold')} by networks of the others alone, by SHA-256"
    started = "each fold from the network of the same fold, or from one without its labels"
    predicted = f"{counted(compared, 'prediction')} repeated by the networks that are kept"
    return [
        passed_check("out-of-fold data", domain, names, trained),
        passed_check("out-of-fold parents", domain, names, started),
        passed_check("out-of-fold predictions", domain, names, predicted),
    ]


def network_of_fold(
    target: EvaluatedDomain, model: TrainedModel, fold: int, of_target: Collection[Path]
) -> TrainedModel:
    """Describe the network that predicted one fold as its card should: trained on all others.

    Args:
        target: the domain.
        model: whose training was repeated outside of the fold.
        fold: from 1.
        of_target: the folders of all models that were trained on the target. If the model started
            from one of them, the network started from its network of the same fold.
    """
    train = target.rows["train"]
    inside = target.folds == fold
    rows = {"train": train[~inside], f"fold {fold}": train[inside]}
    for part, samples in target.rows.items():
        rows.setdefault(part, samples)
    parent = model.parent
    if parent and parent in of_target:
        parent = fold_folder(parent, fold)
    folder = fold_folder(model.folder, fold)
    return replace(model, folder=folder, parent=parent, rows=rows, fold=fold)


def _check_source(target: EvaluatedDomain, folder: Path) -> None:
    """Raise InputError if a pretrained network was trained on the target, with all of its folds."""
    card = read_card(folder)
    domain = card.get("data", {}).get("domain")
    if "weights" not in card and domain == target.domain.name:
        raise InputError(
            f"{folder / CARD}: trained on {domain}, the target, so that no prediction of a "
            "training row is out of fold; expected another source, or a validation part"
        )


def _check_predictions(network: TrainedModel, found: np.ndarray) -> None:
    """Raise InputError unless the saved network of a fold predicts its rows as they were found."""
    check_sha256(network.folder / WEIGHTS, network.card["weights_sha256"])
    domain = network.domain
    rows = network.rows[f"fold {network.fold}"]
    covariates = domain.clinical(rows) if domain.kinds else None
    expected = load_model(network.folder).predict(ImageRows(domain.images, rows), covariates)
    differences = np.abs(expected - found).max(1)  # (N,)
    if (differences > TOLERANCE).any():
        worst = int(differences.argmax())
        raise InputError(
            f"{network.folder.parents[1] / FILE}: sample {rows[worst]} has the probabilities "
            f"{found[worst].round(4).tolist()}, expected {expected[worst].round(4).tolist()}, "
            f"which the network of {network.folder} gives"
        )
