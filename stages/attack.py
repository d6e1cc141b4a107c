"""Attack every model that can be handed over: can one infer who was in its training data?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from graft.audit.cards import TrainedModel, check_data
from graft.common.files import whole_file, write_sealed
from graft.common.parameters import Section, read_parameters
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.split import read_split
from graft.membership.attack import attack_model
from graft.membership.bound import find_guarantee
from graft.membership.document import attacks_document
from graft.membership.patients import Patients, choose_patients
from graft.membership.shadows import Shadows, read_shadows
from graft.networks.card import CARD, has_model, read_card
from graft.networks.device import pick_device, use_deterministic_algorithms
from graft.networks.saved import load_model
from graft.networks.settings import Device
from stages import paths

OF_TARGET = {
    "scratch": paths.FINETUNED["scratch"],
    "transfer": paths.FINETUNED["transfer"],
    "regularized": paths.REGULARIZED,
    **paths.ENSEMBLE,
    "deep": paths.DEEP,
}


class Parameters(Section):
    """What this stage reads of params.yaml."""

    source: str
    target: str
    candidates: list[str] = Field(alias="sources.candidates")
    confidence: float = Field(alias="evaluate.confidence")
    device: Device = Field(alias="training.device")


def main() -> None:
    """Write metrics/attacks.json, and print what each attack found."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    use_deterministic_algorithms()
    attacks: list[dict] = []
    left_out: dict[str, str] = {}
    models = [(parameters.source, {"pretrained": paths.PRETRAINED})]
    for name in parameters.candidates:
        models.append((name, {f"candidate {name}": paths.CANDIDATES / name}))
    for name, folders in [*models, (parameters.target, OF_TARGET)]:
        domain = Domain.read(paths.processed(name), paths.VERIFIED)
        parts = read_split(paths.split(name), domain.index)
        people = choose_patients(domain, parts)
        shadows = shadows_of_target(domain, parts) if folders is OF_TARGET else {}
        for model, folder in folders.items():
            if reason := why_not(folder, people):
                left_out[model] = reason
                continue
            assert people is not None, "otherwise there is a reason"
            trained = TrainedModel(folder, None, domain, parts)
            of_model = shadows.get("scratch" if model == "scratch" else "transfer")
            attack = attack_one(trained, people, of_model, parameters)
            attacks.append({"model": model, **attack})
    document = attacks_document(attacks, left_out, parameters.confidence)
    with whole_file(paths.ATTACKS) as path:
        write_sealed(path, document)
    for entry in document["models"]:
        say(f"attack: {entry['sentence']}")
    for warning in document["warnings"]:
        say(f"warning: {warning}")


def shadows_of_target(domain: Domain, parts: Mapping[str, np.ndarray]) -> Shadows:
    """The predictions of the cross-validation, if it trained as `transfer` was trained."""
    transfer = TrainedModel(paths.FINETUNED["transfer"], None, domain, parts)
    table = paths.REPEATED["cross_validation"]
    weight = transfer.card.get("lambda", 0.0)
    return read_shadows(table, domain, parts, transfer.strategy, weight)


def why_not(folder: Path, people: Patients | None) -> str:
    """Why a model is not attacked; empty if it is."""
    if not has_model(folder):
        return "this run has no such model"
    if "weights" in read_card(folder):
        return "its weights were trained elsewhere, on unknown patients"
    if people is None:
        return "no test patient is from a site of the training part"
    return ""


def attack_one(
    trained: TrainedModel, people: Patients, shadows: np.ndarray | None, parameters: Parameters
) -> dict[str, Any]:
    """Attack a model, after a check that the members are those that it was trained on."""
    domain, card = trained.domain, trained.card
    if "private_training" not in card:  # else the digest needs the key: `evaluate` checks it
        check_data(trained, "train", {})
    return {
        "weights_sha256": card["weights_sha256"],
        "domain": domain.name,
        "unit": "patient" if domain.patients_known else "lesion",
        **attack_model(
            load_model(trained.folder, pick_device(parameters.device)),
            domain,
            people,
            parameters.confidence,
            find_guarantee(card, domain.name, trained.folder / CARD),
            shadows,
        ),
    }


if __name__ == "__main__":
    run(main)
