"""Attack every model that can be handed over: can one infer who was in its training data?"""

from collections.abc import Mapping
from pathlib import Path

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
from graft.membership.patients import choose_patients
from graft.membership.shadows import read_shadows
from graft.networks.card import CARD, has_model
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
    confidence: float = Field(alias="evaluate.confidence")
    device: Device = Field(alias="training.device")


def main() -> None:
    """Write metrics/attacks.json, and print what each attack found."""
    parameters = read_parameters(Parameters, paths.PARAMETERS)
    use_deterministic_algorithms()
    attacks: list[dict] = []
    left_out: dict[str, str] = {}
    for domain, models in (
        (parameters.source, {"pretrained": paths.PRETRAINED}),
        (parameters.target, OF_TARGET),
    ):
        attack_domain(domain, models, parameters, attacks, left_out)
    document = attacks_document(attacks, left_out, parameters.confidence)
    with whole_file(paths.ATTACKS) as path:
        write_sealed(path, document)
    for entry in document["models"]:
        say(f"attack: {entry['sentence']}")
    for warning in document["warnings"]:
        say(f"warning: {warning}")


def attack_domain(
    name: str,
    models: Mapping[str, Path],
    parameters: Parameters,
    attacks: list[dict],
    left_out: dict[str, str],
) -> None:
    """Attack the models that were trained on a domain.

    Args:
        name: of the domain.
        models: their folders by name.
        parameters: of the stage.
        attacks: gets an entry for each attacked model.
        left_out: gets the reason for each other one.
    """
    domain = Domain.read(paths.processed(name), paths.VERIFIED)
    parts = read_split(paths.split(name), domain.index)
    people = choose_patients(domain, parts)
    shadows: Mapping[str, np.ndarray] = {}
    if "transfer" in models:
        card = TrainedModel(models["transfer"], None, domain, parts)
        table = paths.REPEATED["cross_validation"]
        weight = card.card.get("lambda", 0.0)
        shadows = read_shadows(table, domain, parts, card.strategy, weight)
    for model_name, folder in models.items():
        if not has_model(folder):
            left_out[model_name] = "this run has no such model"
            continue
        trained = TrainedModel(folder, None, domain, parts)
        if "weights" in trained.card:
            left_out[model_name] = "its weights were trained elsewhere, on unknown patients"
            continue
        if people is None:
            left_out[model_name] = f"no test patient of {name} is from a site of the training part"
            continue
        if "private_training" not in trained.card:  # else the digest needs the key: see `evaluate`
            check_data(trained, "train", {})
        model = load_model(folder, pick_device(parameters.device))
        attack = attack_model(
            model,
            domain,
            people,
            parameters.confidence,
            guarantee=find_guarantee(trained.card, name, folder / CARD),
            shadows=shadows.get("scratch" if model_name == "scratch" else "transfer"),
        )
        about = {
            "model": model_name,
            "weights_sha256": trained.card["weights_sha256"],
            "domain": name,
            "unit": "patient" if domain.patients_known else "lesion",
        }
        attacks.append({**about, **attack})


if __name__ == "__main__":
    run(main)
