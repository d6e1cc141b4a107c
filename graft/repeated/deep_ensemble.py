"""The trainings of a learning curve with all labels as one model, their mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graft.common.vocabulary import WITHOUT_LAMBDA
from graft.data.task import NO_ROWS, make_task
from graft.networks.build import adapt_architecture
from graft.networks.card import write_no_model
from graft.repeated.cache import Arrays
from graft.repeated.kept_weights import rebuild
from graft.repeated.trainings import PulledSource, RepeatedTrainings
from graft.training.fitting import parent_reference, save_trained
from graft.training.plan import Plan

FEWEST = 2  # networks of an ensemble


def save_deep_ensemble(
    folder: Path,
    trainings: RepeatedTrainings,
    parts: Mapping[str, np.ndarray],
    source: PulledSource,
    seeds: Sequence[int],
    kept: Sequence[Arrays],
) -> None:
    """Write the mean of networks that trained with all labels as a model.

    Without two networks that differ, the folder has a note instead of a model.

    Args:
        folder: gets the model.
        trainings: what the trainings had in common.
        parts: rows of the target by part.
        source: what they started from.
        seeds: of each training.
        kept: the result of each training, with its weights.
    """
    settings = trainings.settings
    finetune = settings.finetune
    if len(kept) < FEWEST:
        write_no_model(folder, f"learning_curve.draws is below {FEWEST}")
        return
    if finetune.strategy in WITHOUT_LAMBDA:
        write_no_model(folder, f"with the strategy {finetune.strategy} all networks are equal")
        return
    validation = parts.get("validation", NO_ROWS)
    task = make_task(trainings.domain, parts["train"], validation, trainings.device)
    trained = source.model.load(trainings.device).card["architecture"]
    architecture = adapt_architecture(trained, task.domain, task.encoding.width)
    plan = Plan(
        recipe=finetune,
        training=settings.training,
        augment=settings.augment,
        seed=seeds[0],
        purpose=trainings.stage,
        checkpoints=trainings.checkpoints,
    )
    card = {
        "predict": settings.predict.model_dump(),
        "parent": parent_reference(source.model.folder),
        "strategy": finetune.strategy,
        "lambda": source.weight,
        "training": {
            **settings.training.model_dump(),
            **finetune.model_dump(),
            "seeds": list(seeds),
        },
        "shares": [1 / len(kept)] * len(kept),
    }
    networks = [rebuild(result, architecture) for result in kept]
    save_trained(folder, networks, architecture, task, plan, card)
