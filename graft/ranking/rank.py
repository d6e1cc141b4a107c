"""The comparison of sources for one target: their distances from it, and the ranking by promise."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from graft.common.vocabulary import RANDOM
from graft.data.task import Samples, Task
from graft.networks.build import adapt_architecture
from graft.networks.features import extract_features
from graft.networks.saved import Model
from graft.ranking.distance import compare_domains
from graft.ranking.transferability import log_me

SCHEMA = Path(__file__).with_name("sources.schema.json")
UNKNOWN = dict.fromkeys(("lesions", "frechet"))


def rank_sources(
    target: Task,
    models: Mapping[str, Model],
    trained_on: Mapping[str, Samples],
) -> dict:
    """Return the distances and the ranking of the sources, as the schema describes them.

    Args:
        target: only its training part is read, and its labels only for the ranking.
        models: by source. RANDOM, which is untrained, is only in the ranking.
        trained_on: the training part of each source that has one; other sources have no distance.

    Returns:
        `target`; `distances`, in the order of `models`; `ranking`, with the best first.

    Raises:
        InputError: if a model takes images of another shape than the target's.
    """
    labels = target.train.labels.cpu().numpy()  # (N,)
    target_name = target.domain.name
    distances: list[dict] = []
    ranking: list[dict] = []
    for name, model in models.items():
        adapt_architecture(model.card["architecture"], target.domain)
        of_target = _compute_features(model, target.train)
        ranking.append({"source": name, "logme": log_me(of_target, labels)})
        if name in trained_on:
            samples = trained_on[name]
            distance = compare_domains(_compute_features(model, samples), of_target)
            distances.append({"source": name, "lesions": len(samples), "frechet": distance})
        elif name != RANDOM:
            distances.append({"source": name, **UNKNOWN})
    ranking.sort(key=lambda row: -row["logme"])
    return {
        "target": target_name,
        "distances": distances,
        "ranking": ranking,
    }


def _compute_features(model: Model, samples: Samples) -> np.ndarray:
    """Compute the features (N, F) of samples."""
    (network,) = model.networks
    return extract_features(network, samples.images)
