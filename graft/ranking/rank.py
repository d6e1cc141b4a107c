"""The sources that a target could be grafted from, side by side: how unlike it they are, and which promises most."""

from collections.abc import Mapping
from pathlib import Path

from graft.data.task import Samples, Task
from graft.networks.build import adapt_architecture
from graft.networks.features import features
from graft.networks.saved import Model
from graft.ranking.distances import Seen, compare
from graft.ranking.transferability import RANDOM, h_score, log_me

SCHEMA = Path(__file__).with_name("sources.schema.json")
UNKNOWN = dict.fromkeys(("lesions", "frechet", "mmd", "mmd_p", "proxy_a"))


def rank(
    target: Task, models: Mapping[str, Model], lessons: Mapping[str, Samples], seed: int
) -> dict:
    """What metrics/sources.json holds: `target`, `distances` in the order of `models`, `ranking` with the best first.

    Args:
        target: of which the training part alone is read, its labels for the ranking only.
        models: by source; RANDOM, which has learnt from nothing, is in the ranking alone.
        lessons: the training part that a model has learnt from, where there is one; else its distances are None.
        seed: of the permutations and the folds.

    Raises InputError where a model takes images of another shape than the target's.
    """
    labels = target.train.labels.cpu().numpy()
    distances, ranking = [], []
    for name, model in models.items():
        adapt_architecture(model.card["architecture"], target.domain)
        mine = _seen(model, target.train)
        promise = {
            "logme": log_me(mine.features, labels),
            "h_score": h_score(mine.features, labels),
        }
        ranking.append({"source": name, **promise})
        if name in lessons:
            found = compare(
                _seen(model, lessons[name]), mine, seed, "distances", name, target.domain.name
            )
            distances.append({"source": name, "lesions": len(lessons[name]), **found})
        elif name != RANDOM:
            distances.append({"source": name, **UNKNOWN})
    ranking.sort(key=lambda row: -row["logme"])
    return {"target": target.domain.name, "distances": distances, "ranking": ranking}


def _seen(model: Model, samples: Samples) -> Seen:
    (network,) = model.networks
    return Seen(
        features(network, model.card["architecture"]["name"], samples.images), samples.patients
    )
