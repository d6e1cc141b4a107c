"""The server: it asks the sites, averages their parameters, and keeps the best round."""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from graft.common.files import InputError, whole_folder
from graft.common.seeds import derive
from graft.common.shown import counted, first_line
from graft.console import say
from graft.federated.agreement import check_agreement
from graft.federated.average import check_tensors, weighted_mean
from graft.federated.connections import Connections
from graft.federated.messages import (
    DESCRIBE,
    FINISH,
    PREPARE,
    STOP,
    TRAIN,
    VALIDATE,
    Description,
    Message,
    Prepared,
    Trained,
    Validated,
    read_answer,
)
from graft.federated.patients import check_keys, choose_left_out
from graft.federated.settings import Rounds, SiteParameters
from graft.networks.build import build_network
from graft.networks.saved import save_model

STAGE = "federated"  # of the card
MOST_EPOCHS = 100_000  # as `pretrain.epochs`


@dataclass
class Federation:
    """A federated training: who takes part, what they train on, and how long.

    Attributes:
        connections: to the sites.
        sites: what each site said about itself, by name.
        prepared: what each site trains on, by name.
        parameters: of all sites, apart from the device.
        local_epochs: of each site in a round.
        rounds: the largest number of rounds.
        mu: μ of FedProx.
    """

    connections: Connections
    sites: Mapping[str, Description]
    prepared: Mapping[str, Prepared]
    parameters: SiteParameters
    local_epochs: int
    rounds: int
    mu: float

    @property
    def lesions(self) -> list[int]:
        """The training lesions of each class at all sites."""
        return [sum(counts) for counts in zip(*self._counts, strict=True)]

    @property
    def _counts(self) -> list[list[int]]:
        return [self.prepared[name].lesions for name in self.connections.names]

    def train(self, tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
        """Let all sites train for a round, and return the weighted mean of their parameters."""
        question = {
            "round": number,
            "rounds": self.rounds,
            "local_epochs": self.local_epochs,
            "mu": self.mu,
            "lesions": self.lesions,
        }
        answers = self.connections.ask(Message(TRAIN, question, tensors))
        for name in self.connections.names:
            read_answer(Trained, answers[name], name)
            check_tensors(name, answers[name].tensors, tensors, number)
        weights = {name: sum(site.lesions) for name, site in self.prepared.items()}
        return weighted_mean({name: one.tensors for name, one in answers.items()}, weights)

    def validate(self, tensors: Mapping[str, Tensor]) -> float | None:
        """The weighted mean of the losses over the validation lesions of all sites, if any."""
        if not any(site.validation for site in self.prepared.values()):
            return None
        answers = self.connections.ask(Message(VALIDATE, {"lesions": self.lesions}, tensors))
        loss = weight = 0.0
        for name in self.connections.names:
            found = read_answer(Validated, answers[name], name)
            loss += found.loss
            weight += found.weight
        return loss / weight


def gather(connections: Connections, wish: Rounds) -> Federation:
    """Ask the sites who they are, and check that one network can train at all of them.

    Args:
        connections: to the sites, before they have names.
        wish: how long to train.

    Raises:
        InputError: if the sites do not agree, or if there are too many epochs.
    """
    session = secrets.token_hex(16)  # no result depends on it
    unnamed = connections.ask(Message(DESCRIBE, {"session": session}))
    described = {place: read_answer(Description, one, place) for place, one in unnamed.items()}
    connections.rename({place: site.name for place, site in described.items()})
    sites = {site.name: site for site in described.values()}
    check_agreement(sites)
    check_keys(sites)
    parameters = sites[connections.names[0]].parameters
    rounds = wish.rounds or math.ceil(parameters.pretrain.epochs / wish.local_epochs)
    if rounds * wish.local_epochs > MOST_EPOCHS:
        raise InputError(
            f"rounds and local epochs: got {rounds} × {wish.local_epochs} epochs, expected at "
            f"most {MOST_EPOCHS}"
        )
    left_out = choose_left_out({name: site.patients for name, site in sites.items()})
    questions = {}
    for name in connections.names:
        content = {"leave_out": left_out[name], "epochs": rounds * wish.local_epochs}
        questions[name] = Message(PREPARE, content)
    answers = connections.ask_each(questions)
    prepared = {name: read_answer(Prepared, answers[name], name) for name in connections.names}
    return Federation(connections, sites, prepared, parameters, wish.local_epochs, rounds, wish.mu)


def run_rounds(federation: Federation) -> tuple[dict[str, Tensor], list[dict]]:
    """Train for all rounds; returns the parameters of the best round, and a row for each round.

    The best round has the lowest mean validation loss over the lesions of all sites. Without any
    validation part, it is the last one. Training stops if `pretrain.patience` epochs passed since.
    """
    description = federation.sites[federation.connections.names[0]]
    seed = derive(federation.parameters.seed, "network")
    network = build_network(**description.architecture, seed=seed)
    tensors = {name: tensor.detach() for name, tensor in network.saved_tensors().items()}
    best: tuple[float, int, dict[str, Tensor]] = (math.inf, 0, {})
    rows = []
    for number in range(1, federation.rounds + 1):
        tensors = federation.train(tensors, number)
        loss = federation.validate(tensors)
        rows.append({"round": number, "validation_loss": loss})
        shown = "" if loss is None else f"  validation loss {loss:.4f}"
        say(f"federated: round {number}/{federation.rounds}{shown}")
        if loss is None or loss < best[0]:
            best = (math.inf if loss is None else loss, number, tensors)
        since_best = (number - best[1]) * federation.local_epochs
        if since_best >= federation.parameters.pretrain.patience:
            break
    return best[2], rows


def federate(connections: Connections, wish: Rounds, folder: Path) -> None:
    """Train a network at all sites, write it as a model folder, and send it to the sites.

    If anything fails, the sites are told, so that they end too.

    Args:
        connections: to the sites, before they have names.
        wish: how long to train.
        folder: where the model is written.

    Raises:
        InputError: if the sites do not agree, if one fails or is lost, or if a number is wrong.
    """
    try:
        federation = gather(connections, wish)
        for name in connections.names:
            site = federation.prepared[name]
            say(
                f"federated: site {name}: {counted(sum(site.lesions), 'lesion')} of "
                f"{counted(site.patients, 'patient')}, {site.validation} to validate"
            )
        tensors, rows = run_rounds(federation)
        card = make_card(federation, rows)
        save(folder, tensors, card)
    except Exception as error:  # also a full disk: no site may wait in vain
        connections.end(Message(STOP, {"reason": first_line(error)}))
        raise
    connections.end(Message(FINISH, card, tensors))
    say(f"federated: wrote {folder}")


def make_card(federation: Federation, rows: list[dict]) -> dict:
    """The card of the model: what a card of `pretrain` says, and who took part."""
    first = federation.sites[federation.connections.names[0]]
    losses = [row for row in rows if row["validation_loss"] is not None]
    best = min(losses, key=lambda row: row["validation_loss"]) if losses else rows[-1]
    parameters = federation.parameters
    sites = []
    for name in federation.connections.names:
        sites.append({"name": name, **federation.prepared[name].model_dump()})
    return {
        "stage": STAGE,
        "architecture": first.architecture,
        "classes": first.agreed["classes"],
        "preprocessing": first.preprocessing,
        "parent": None,
        "training": {
            **parameters.training.model_dump(exclude={"device"}),
            **parameters.pretrain.model_dump(),
            "seed": parameters.seed,
        },
        "federated": {
            "sites": sites,
            "rounds": federation.rounds,
            "local_epochs": federation.local_epochs,
            "mu": federation.mu,
            "validation": rows,
        },
        "scores": best,
    }


def save(folder: Path, tensors: Mapping[str, Tensor], card: Mapping) -> None:
    """Write the model folder of a card and its parameters."""
    network = build_network(**card["architecture"], seed=0)
    network.load_saved_tensors(tensors)
    with whole_folder(folder) as partial:
        save_model(partial, [network], card)
