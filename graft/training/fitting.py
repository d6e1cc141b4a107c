"""What the training stages share: fit a network on a task, and leave a model folder and its curves."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import torch
from torch import Tensor, nn

from graft.common.files import sha256, whole_folder, write_json
from graft.console import progress, say
from graft.data.covariates import regress
from graft.data.task import Task
from graft.networks.build import JointHead
from graft.networks.saved import save_model
from graft.training.checkpoint import Checkpoint, clear_checkpoints
from graft.training.loop import Plan, Row, fit_network

CURVES = ("train_loss", "penalty", "validation_loss", "validation_accuracy")


def train_network(
    network: nn.Module,
    task: Task,
    plan: Plan,
    log: Callable[[Row], None] | None = None,
    weights: Tensor | None = None,
) -> Row:
    """Fit `network` in place, resuming where a run with the same inputs was killed; returns its best epoch.

    `log` gets a row an epoch; without it the training is one of many, and shows none of its epochs.
    `weights` (N,) weigh the training samples, on average by 1.
    """
    key = {
        "data": task.sha256(),
        "start": _digest(
            tensor.cpu().numpy().tobytes() for tensor in network.state_dict().values()
        ),
        "weights": None if weights is None else weights.tolist(),
        "device": str(next(network.parameters()).device),
        "plan": [plan.recipe, plan.training, plan.augment, plan.seed, plan.purpose],
        "pull": plan.pull and [plan.pull.weight, plan.pull.kind, sorted(plan.pull.reference)],
    }
    resumed = Checkpoint(plan.stage, key)
    if log is None:
        return fit_network(network, task, plan, resumed, lambda row: None, weights)
    say(
        f"{plan.purpose}: {len(task.train)} lesions of {task.domain.name} to learn from, "
        f"{len(task.validation)} to validate on"
    )
    with progress(plan.purpose, plan.recipe.epochs) as show:

        def each(row: Row) -> None:
            show(row)
            log(row)

        return fit_network(network, task, plan, resumed, each, weights)


def start_head(network: nn.Module, task: Task, plan: Plan) -> None:
    """Let a new head begin with what the covariates of the training part alone say, and learn on from there.

    An image tells a few training lesions apart within some steps: from 0, nothing would be left for the covariates
    to explain, and they would not be learnt. Without covariates the head stays as it is.
    """
    heads = [module for module in network.modules() if isinstance(module, JointHead)]
    labels, balanced = task.train.labels.cpu().numpy(), plan.training.class_weights == "balanced"
    for head, known in product(heads, task.train.known(slice(None))):
        told = regress(known.cpu().numpy(), labels, len(task.domain.classes), balanced)
        head.start(*(torch.from_numpy(numbers).to(head.weight) for numbers in told))


@contextmanager
def log_curves(folder: Path) -> Iterator[Callable[[Row], None]]:
    """Log rows as DVCLive curves in `folder`, shown by `dvc plots` and the DVC extension while training runs."""
    from dvclive import Live  # late: it brings DVC along

    with Live(str(folder), save_dvc_exp=False, dvcyaml=None) as live:

        def log(row: Row) -> None:
            for name in CURVES:
                if name in row:
                    live.log_metric(name, row[name])
            live.next_step()

        yield log


def write_empty_curves(folder: Path) -> None:
    """Write the curves of a stage that learnt nothing: tables without a row, of which `dvc plots` draws nothing."""
    with whole_folder(folder) as partial:
        tables = partial / "plots/metrics"
        tables.mkdir(parents=True)
        for name in CURVES:
            (tables / f"{name}.tsv").write_text(f"step\t{name}\n", encoding="utf-8")
        write_json(partial / "metrics.json", {})


def save_trained(
    folder: Path,
    members: Sequence[nn.Module],
    architecture: dict,
    task: Task,
    plan: Plan,
    **card: object,
) -> None:
    """Write the model folder whole, then forget the stage's checkpoints; `card` as in `write`."""
    with whole_folder(folder) as partial:
        write_trained(partial, members, architecture, task, plan, **card)
    clear_checkpoints(plan.stage)
    say(f"{plan.stage}: wrote {folder}")


def write_trained(
    folder: Path,
    members: Sequence[nn.Module],
    architecture: dict,
    task: Task,
    plan: Plan,
    **card: object,
) -> None:
    """Write a model into an existing folder.

    `card` adds what only this stage knows: the parent, the shares of the members, the scores.
    """
    save_model(
        folder,
        members,
        {
            "stage": plan.stage,
            "architecture": architecture,
            "classes": task.domain.classes,
            **({"covariates": list(task.encoding.columns)} if task.encoding.width else {}),
            "preprocessing": task.domain.preprocessing,
            "data": task.sha256(),
            "training": {
                **plan.training.model_dump(),
                **plan.recipe.model_dump(),
                "seed": plan.seed,
            },
            **card,
        },
    )


def parent_reference(folder: Path) -> dict[str, str]:
    """How a card names the model that a model comes from."""
    return {"folder": folder.as_posix(), "weights_sha256": sha256(folder / "weights.safetensors")}


def _digest(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
