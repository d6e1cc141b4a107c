"""Write the folder of the chosen model: everything that is needed to use it and to judge it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.common.code import library_versions
from graft.evaluation.scored import ScoredModels
from graft.networks.card import CARD, read_card
from graft.networks.saved import WEIGHTS
from graft.release.chosen import ChosenModel
from graft.release.fitted import PATIENT_EFFECT, README, Fitted
from graft.release.readme import model_card


def fitted_of(
    chosen: ChosenModel, scored: ScoredModels, metrics: Mapping[str, Any], licence: str
) -> Fitted:
    """What was fitted with the chosen model, as fitted.json has it.

    Args:
        chosen: the model.
        scored: all models.
        metrics: metrics.json, which the hashes come from.
        licence: of the model, an SPDX expression.
    """
    tuned = scored.tuned[chosen.name]
    points = tuned.points or {}
    hashes, effect = metrics["hashes"], metrics["patient_effect"]
    return Fitted(
        name=chosen.name,
        source=metrics["source"]["name"],
        target=metrics["target"]["name"],
        temperature=tuned.temperature.value,
        points={name: point.threshold if point else None for name, point in points.items()},
        wanted={name: point.wanted for name, point in points.items() if point},
        miscoverage=chosen.conformal.miscoverage,
        quantiles=chosen.conformal.quantiles,
        familiar=chosen.familiar,
        licence=licence,
        provenance={
            "graft": library_versions(["graft"])["graft"],
            # It would tell whether a patient is in the training part of a private source.
            "source": None if metrics["privacy"] else hashes["source"],
            "target": hashes["target"],
            "weights": hashes["models"][chosen.name],
            "pretrained": hashes["models"]["pretrained"],
        },
        patient_effect=effect and {name: effect[name] for name in PATIENT_EFFECT},
    )


def fill_release(folder: Path, model: Path, fitted: Fitted, metrics: Mapping[str, Any]) -> None:
    """Write a model that is ready to use into an empty folder.

    Args:
        folder: gets the weights, the card, fitted.json and README.md.
        model: the folder of the chosen model.
        fitted: what was fitted with it.
        metrics: metrics.json.
    """
    for name in (WEIGHTS, CARD):
        shutil.copyfile(model / name, folder / name)
    text = model_card(metrics, read_card(folder), fitted)
    (folder / README).write_text(text, encoding="utf-8", newline="\n")
    fitted.write(folder)
