"""A stage trains on all labelled patients and, without a validation part, outside of each fold.

The network of a fold has not seen the patients of the fold. What it predicts for them shows how
the same training does on new patients.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graft.common.files import whole_folder
from graft.console import say
from graft.data.image_rows import ImageRows
from graft.networks.out_of_fold import ALL, fold_folder, write_out_of_fold
from graft.networks.saved import WEIGHTS, load_model, save_model
from graft.training.checkpoint import clear_checkpoints
from graft.training.fitting import complete_card, log_curves
from graft.training.parallel import train_in_parallel
from graft.training.stage import StageTraining, Trained


def train_stage(stage: StageTraining, folder: Path, curves: Path, keep: bool = False) -> None:
    """Train on all labelled patients and outside of each fold, and write the model.

    All trainings run in parallel, or one after the other on a GPU. A killed stage resumes from the
    checkpoint of each of them.

    Args:
        stage: how it trains.
        folder: gets the model of all labelled patients. If there are folds, it also gets the
            out-of-fold predictions, and a folder with a card for the model of each fold.
        curves: the folder of the curves of the training on all patients.
        keep: whether to keep the weights of the folds, for a stage that continues from them.
    """
    show = not train_in_parallel(stage)
    with log_curves(curves) as log:
        trained = stage.train(ALL, log, show)
    with whole_folder(folder) as partial:
        _save(stage, trained, partial)
        folds = stage.labelled.trainings[1:]
        if folds:
            _add_folds(stage, folds, partial, keep, show)
    clear_checkpoints(stage.plan.checkpoints / stage.plan.stage)
    say(f"{stage.plan.stage}: wrote {folder}")


def _add_folds(
    stage: StageTraining, folds: Sequence[int], folder: Path, keep: bool, show: bool
) -> None:
    """Write the models of the folds, and what each predicts for its fold, into a model folder."""
    labelled = stage.labelled
    domain = labelled.domain.read()
    predicted = np.zeros((len(labelled.train), len(domain.classes)))
    for fold in folds:
        place = fold_folder(folder, fold)
        place.mkdir(parents=True)
        _save(stage, stage.train(fold, show=show), place)
        inside = labelled.folds == fold
        rows = labelled.train[inside]
        covariates = domain.clinical(rows) if domain.kinds else None
        model = load_model(place, stage.device)
        predicted[inside] = model.predict(ImageRows(domain.images, rows), covariates)
        if not keep:
            (place / WEIGHTS).unlink()
    write_out_of_fold(folder, labelled.train, labelled.folds, predicted, domain.classes)


def _save(stage: StageTraining, trained: Trained, folder: Path) -> None:
    about = {"predict": stage.predict.model_dump(), **trained.card}
    card = complete_card(trained.architecture, trained.task, stage.plan, about)
    save_model(folder, trained.networks, card)
