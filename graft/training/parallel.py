"""All trainings of a stage at the same time, each of which leaves its result in a checkpoint."""

import functools
from dataclasses import replace

from graft.common.parallel import run_parallel
from graft.console import counting, say
from graft.data.memory import share_for_each
from graft.networks.device import use_deterministic_algorithms
from graft.networks.out_of_fold import ALL
from graft.training.fitting import how_it_validates
from graft.training.stage import StageTraining


def train_in_parallel(stage: StageTraining) -> bool:
    """Leave all trainings in their checkpoints, if there are several that can run in parallel.

    Returns:
        Whether they were trained.
    """
    pieces = []
    for fold in stage.labelled.trainings:
        pieces += [(fold, member) for member in stage.members(fold)]
    if len(pieces) < 2 or stage.device.type == "cuda":
        return False
    say(f"{stage.plan.purpose}: {_describe(stage)}")
    with counting(stage.plan.purpose, len(pieces), "training") as show:

        def show_piece(position: int) -> None:
            fold, member = pieces[position]
            where = "all patients" if fold == ALL else f"outside of fold {fold}"
            show(f"{where}, member {member}" if len(stage.members(fold)) > 1 else where)

        run_parallel(functools.partial(_train_piece, stage), pieces, show_piece)
    return True


def _describe(stage: StageTraining) -> str:
    """What a stage trains on, for a message."""
    labelled = stage.labelled
    on = f"trains on {len(labelled.train)} lesions of {labelled.domain.read().name}"
    validation = how_it_validates(len(labelled.validation), stage.plan.recipe.epochs)
    if len(labelled.validation):
        return f"{on}, {validation}"
    return f"{on}, {validation}, and again outside of each of {labelled.folds.max()} folds"


def _train_piece(stage: StageTraining, piece: tuple[int, int]) -> None:
    use_deterministic_algorithms()
    training = stage.plan.training
    memory = share_for_each(training.memory, stage.device)
    shared = replace(stage.plan, training=training.model_copy(update={"memory": memory}))
    replace(stage, plan=shared).train_member(*piece)
