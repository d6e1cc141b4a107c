"""The steps that the training stages share: train a network, and write its curves and model."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from graft.common.files import InputError, sha256, whole_folder, write_json
from graft.common.shown import first_line
from graft.console import progress, say
from graft.data.covariates import regress
from graft.data.task import Task
from graft.networks.card import read_card
from graft.networks.classifier import Classifier
from graft.networks.saved import save_model
from graft.training.checkpoint import Checkpoint, clear_checkpoints
from graft.training.loop import Log, fit_network
from graft.training.plan import Plan
from graft.training.state import Row

CURVES = ("train_loss", "penalty", "validation_loss", "validation_accuracy")


def train_network(
    network: nn.Module,
    task: Task,
    plan: Plan,
    log: Log | None = None,
    weights: Tensor | None = None,
    show: bool = True,
) -> Row:
    """Train `network` in place, and resume if a training with the same inputs was killed.

    Args:
        network: the network to train.
        task: what it trains on and is validated on.
        plan: how to train.
        log: gets one row per epoch.
        weights: (N,) of the training samples, on average 1.
        show: whether to print a progress bar over the epochs. It is off for a training that is
            one of many.

    Returns:
        The row of the best epoch.

    Raises:
        InputError: if the loss or the penalty is not finite.
    """
    key = training_key(network, task, plan, weights)
    checkpoint = Checkpoint(plan.checkpoints / plan.stage, key)

    def log_epoch(row: Row) -> None:
        if log is not None:
            log(row)

    if not show:
        return fit_network(network, task, plan, checkpoint, log_epoch, weights)
    validation = how_it_validates(len(task.validation), plan.recipe.epochs)
    say(
        f"{plan.purpose}: trains on {len(task.train)} lesions of {task.domain.name}, "
        f"{validation}{_where_images_are(task)}"
    )
    with progress(plan.purpose, plan.recipe.epochs) as show_epoch:

        def show_and_log(row: Row) -> None:
            show_epoch(row)
            log_epoch(row)

        return fit_network(network, task, plan, checkpoint, show_and_log, weights)


def how_it_validates(count: int, epochs: int) -> str:
    """How a training with `count` lesions to validate on decides its end, for a message."""
    return f"validates on {count}" if count else f"all {epochs} epochs without validation"


def start_head(network: Classifier, task: Task, plan: Plan) -> None:
    """Start a new head with the logistic regression on the covariates alone.

    A network separates a few training lesions by their images within some steps. With a head that
    starts at 0, no loss would then be left for the covariates to reduce, and the head would ignore
    them. Without covariates the head does not change.
    """
    covariates = task.train.covariates
    if covariates is None:
        return
    labels = task.train.labels.cpu().numpy()
    balanced = plan.training.class_weights == "balanced"
    numbers = covariates.cpu().numpy()
    weights, bias = regress(numbers, labels, len(task.domain.classes), balanced)
    head = network.head.weight  # for its device and its dtype
    network.add_to_head(
        torch.from_numpy(weights).to(head),
        torch.from_numpy(bias).to(head),
    )


@contextmanager
def log_curves(folder: Path) -> Iterator[Log]:
    """Log rows as DVCLive curves in `folder`, which `dvc plots` shows while training runs.

    Raises:
        InputError: if the Git repository around the working directory has no commit.
    """
    from dvclive import Live  # late: it imports DVC
    from scmrepo.exceptions import SCMError

    try:
        live = Live(str(folder), save_dvc_exp=False, dvcyaml=None)
    except SCMError as error:
        raise InputError(
            f"Git: {first_line(error)}, expected a repository with a commit; run `git commit`"
        ) from error
    with live:

        def log(row: Row) -> None:
            for name in CURVES:
                if name in row:
                    live.log_metric(name, row[name])
            live.next_step()

        yield log
    _write_missing_curves(folder)


def write_empty_curves(folder: Path) -> None:
    """Write the curves of a stage that did not train.

    The stage has the same outputs as if it had trained.
    """
    with whole_folder(folder) as partial:
        _write_missing_curves(partial)
        write_json(partial / "metrics.json", {})


def _write_missing_curves(folder: Path) -> None:
    """Write a table without rows for each curve without values, so that `dvc plots` finds it."""
    tables = folder / "plots/metrics"
    tables.mkdir(parents=True, exist_ok=True)
    for name in CURVES:
        table = tables / f"{name}.tsv"
        if not table.exists():
            table.write_text(f"step\t{name}\n", encoding="utf-8")


def save_trained(
    folder: Path,
    members: Sequence[Classifier],
    architecture: dict,
    task: Task,
    plan: Plan,
    card: dict,
) -> None:
    """Write a complete model folder, then delete the checkpoints of the stage.

    Args:
        folder: where the model is written.
        members: its networks.
        architecture: the arguments of `build_network` for each of them.
        task: what they trained on.
        plan: how they trained.
        card: the entries of the card that only the stage knows: the parent, the shares of the
            members, the scores.
    """
    with whole_folder(folder) as partial:
        save_model(partial, members, complete_card(architecture, task, plan, card))
    clear_checkpoints(plan.checkpoints / plan.stage)
    say(f"{plan.stage}: wrote {folder}")


def complete_card(architecture: dict, task: Task, plan: Plan, card: dict) -> dict[str, object]:
    """The card of a model: what every card says, followed by the entries of `card`.

    The arguments are those of `save_trained`.
    """
    complete: dict[str, object] = {
        "stage": plan.stage,
        "architecture": architecture,
        "classes": task.domain.classes,
    }
    if task.encoding.width:
        complete["covariates"] = list(task.encoding.columns)
    complete["preprocessing"] = task.domain.preprocessing
    complete["data"] = task.sha256()
    complete["training"] = {
        **plan.training.model_dump(),
        **plan.recipe.model_dump(),
        "seed": plan.seed,
    }
    parent = card.get("parent")
    if parent and (privacy := read_card(Path(parent["folder"])).get("privacy")):
        complete["privacy"] = privacy  # a model says no more about patients than its parent did
    return {**complete, **card}


def parent_reference(folder: Path) -> dict[str, str]:
    """The entry of a card about the parent, the model in `folder` that training started from."""
    weights = sha256(folder / "weights.safetensors")
    return {"folder": folder.as_posix(), "weights_sha256": weights}


def _where_images_are(task: Task) -> str:
    """Where the images are if they are not on the device."""
    if isinstance(task.train.images, Tensor):
        return ""
    gigabytes = (task.train.images.nbytes + task.validation.images.nbytes) / 1e9
    return f"; their {gigabytes:.1f} GB are more than training.memory allows and stay in their file"


def training_key(
    network: nn.Module,
    task: Task,
    plan: Plan,
    weights: Tensor | None,
) -> dict:
    """Everything that decides the result of a training, as plain values.

    The values that a pull leads towards are not in it: they are those of the start.
    """
    start = hashlib.sha256(str(network).encode())  # the layers, which decide what weights mean
    for name, tensor in network.state_dict().items():
        start.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        start.update(tensor.cpu().numpy().tobytes())
    pull = None
    if plan.pull:
        pull = [plan.pull.weight, plan.pull.kind, sorted(plan.pull.reference)]
    key = {
        "data": task.sha256(),
        "start": start.hexdigest(),
        "weights": None if weights is None else weights.tolist(),
        "device": str(next(network.parameters()).device),
        "recipe": plan.recipe.model_dump(),
        "training": plan.training.model_dump(),
        "augment": plan.augment.model_dump(),
        "seed": plan.seed,
        "purpose": plan.purpose,
        "keep_start": plan.keep_start,
        "pull": pull,
        "features": plan.features and plan.features.key,
    }
    if plan.objective:
        key["objective"] = plan.objective.key()
    return key
