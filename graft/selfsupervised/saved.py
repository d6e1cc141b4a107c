"""The network that learned without labels, as a model folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graft.common.files import whole_folder
from graft.console import say
from graft.data.domain import Domain
from graft.networks.classifier import Classifier
from graft.networks.saved import save_model
from graft.selfsupervised.without_labels import describe_seen
from graft.training.checkpoint import clear_checkpoints
from graft.training.plan import Plan


def save_body(
    folder: Path,
    network: Classifier,
    seen: Sequence[tuple[Domain, np.ndarray]],
    plan: Plan,
    card: Mapping,
) -> None:
    """Write a model folder, then delete the checkpoints of the stage.

    Its card has no classes, because the head is untrained. It lists the images that the body
    learned from: their number, and the SHA-256 of their bytes.

    Args:
        folder: where the model is written.
        network: the network.
        seen: domains, and the rows of their index that it learned from.
        plan: how it trained.
        card: the entries of the card that only the stage knows.
    """
    complete: dict[str, object] = {
        "stage": plan.stage,
        "classes": [],
        "parent": None,
        "data": {domain.name: describe_seen(domain, rows) for domain, rows in seen},
        "training": {**plan.training.model_dump(), "seed": plan.seed},
    }
    with whole_folder(folder) as partial:
        save_model(partial, [network], {**complete, **card})
    clear_checkpoints(plan.checkpoints / plan.stage)
    say(f"{plan.stage}: wrote {folder}")
