"""A site: its lesions stay in this process, and it answers the questions of the server."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from graft.common.files import InputError
from graft.common.shown import counted
from graft.common.vocabulary import TESTS
from graft.console import say
from graft.data.covariates import Encoding
from graft.data.domain import Domain
from graft.data.split import read_split
from graft.data.task import NO_ROWS, Task, make_task
from graft.federated.agreement import agreed_values
from graft.federated.local import LocalTraining, MakeOptimizer, pooled_class_weights
from graft.federated.messages import DESCRIBE, PREPARE, TRAIN, VALIDATE, Message
from graft.federated.patients import Tokens, key_of, tokens_of
from graft.federated.settings import SiteParameters
from graft.keys.settings import PseudonymKey
from graft.networks.build import architecture_for, build_network
from graft.networks.device import pick_device
from graft.training.plan import Plan
from graft.training.settings import Recipe
from graft.training.state import make_optimizer

LEARNED = ("train", "validation")  # parts that decide the parameters or the round


@dataclass
class Site:
    """A site of a federated training.

    Attributes:
        name: of the site, which the other sites and the card of the model show.
        domain: its lesions.
        parts: the rows of the domain by part.
        parameters: of params.yaml.
        key: the secret patient key.
        make: the optimizer of a round.
    """

    name: str
    domain: Domain
    parts: dict[str, np.ndarray]
    parameters: SiteParameters
    key: str
    make: MakeOptimizer = make_optimizer

    @classmethod
    def read(
        cls,
        name: str,
        folder: Path,
        split: Path,
        parameters: SiteParameters,
        secret: PseudonymKey,
    ) -> "Site":
        """Read a processed domain and its split.

        Args:
            name: of the site.
            folder: of the domain.
            split: the table of its parts.
            parameters: how to train.
            secret: where the patient key is.

        Raises:
            InputError: if a file cannot be used, or if another key made the pseudonyms.
        """
        domain = Domain.read(folder)
        parts = read_split(split, domain.index)
        return cls(name, domain, parts, parameters, key_of(domain, secret))

    def answer(self, question: Message) -> Message:
        """Answer a question of the server.

        Raises:
            InputError: if the question is unknown, or if training fails.
        """
        answers = {
            DESCRIBE: self.describe,
            PREPARE: self.prepare,
            TRAIN: self.train,
            VALIDATE: self.validate,
        }
        if question.kind not in answers:
            raise InputError(f"the server: asks {question.kind!r}, which this graft does not know")
        return answers[question.kind](question)

    def describe(self, question: Message) -> Message:
        """Say what has to agree, and which patients are here, as tokens."""
        self._tokens = Tokens(self.key, question.content["session"])
        content = {
            "name": self.name,
            "agreed": agreed_values(self.domain, self.parameters),
            "parameters": self._parameters(),
            "architecture": architecture_for(self.parameters.network, self.domain),
            "preprocessing": self.domain.preprocessing,
            "key": self.domain.patient_key,
            "proof": self._tokens.proof,
            "patients": {},
        }
        if self.domain.patients_known:
            tested = self._patients(*TESTS)
            content["patients"] = tokens_of(self._tokens, self._patients(*LEARNED), tested)
        return Message(DESCRIBE, content)

    def prepare(self, question: Message) -> Message:
        """Leave out patients who are at another site, and say what is left to train on."""
        unwanted = set(question.content["leave_out"])
        patients = self.domain.index["patient"]
        dropped = set()
        if unwanted:
            dropped = {one for one in self._patients(*LEARNED) if self._tokens.of(one) in unwanted}
        rows = {}
        for part in LEARNED:
            here = self.parts.get(part, NO_ROWS)
            rows[part] = here[~patients.iloc[here].isin(dropped).to_numpy()]
        if not len(rows["train"]):
            raise InputError(
                "the training part has no patient who is not at another site, expected at least 1"
            )
        self._start(rows, question.content["epochs"])
        task = self._local.task
        classes = len(self.domain.classes)
        lesions = np.bincount(task.train.labels.cpu().numpy(), minlength=classes).tolist()
        digests = task.sha256()
        validates = counted(len(task.validation), "lesion")
        say(
            f"{self.name}: trains on {counted(len(task.train), 'lesion')}, validates on "
            f"{validates}; left out: {counted(len(dropped), 'patient')} of other sites"
        )
        return Message(
            PREPARE,
            {
                "lesions": lesions,
                "validation": len(task.validation),
                "patients": len(set(task.train.patients)),
                "left_out": len(dropped),
                "train_sha256": digests["train_sha256"],
                "validation_sha256": digests["validation_sha256"],
            },
        )

    def train(self, question: Message) -> Message:
        """Train for a round, from the parameters of the server."""
        asked = question.content
        number = asked["round"]
        weights = self._class_weights(asked["lesions"])
        row = self._local.train(
            question.tensors, number, asked["local_epochs"], asked["mu"], weights
        )
        say(f"{self.name}: round {number}/{asked['rounds']}  train loss {row['train_loss']:.4f}")
        tensors = self._local.network.saved_tensors()
        on_cpu = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        return Message(TRAIN, dict(row), on_cpu)

    def validate(self, question: Message) -> Message:
        """Validate the parameters of the server."""
        weights = self._class_weights(question.content["lesions"])
        loss, weight = self._local.validate(question.tensors, weights)
        return Message(VALIDATE, {"loss": loss, "weight": weight})

    def _start(self, rows: dict[str, np.ndarray], epochs: int) -> None:
        """Read the samples, build the network and plan the training."""
        parameters = self.parameters
        device = pick_device(parameters.training.device)
        task = self._task(rows, device)
        architecture = architecture_for(parameters.network, self.domain)
        recipe = Recipe(**parameters.pretrain.model_dump() | {"epochs": epochs})
        plan = Plan(
            recipe=recipe,
            training=parameters.training,
            augment=parameters.augment,
            seed=parameters.seed,
            purpose=f"federated/{self.name}",
            checkpoints=Path(),  # a round is short, and has no checkpoint
        )
        network = build_network(**architecture, seed=0).to(device)  # the server has the weights
        self._local = LocalTraining(network, task, plan, self.make)

    def _task(self, rows: dict[str, np.ndarray], device: torch.device) -> Task:
        """The samples. Covariates are not used: their encoding would depend on the site."""
        memory = self.parameters.training.memory
        return make_task(self.domain, rows["train"], rows["validation"], device, Encoding(), memory)

    def _parameters(self) -> dict:
        """All parameters, and no more than `memory` needs to be one."""
        content = self.parameters.model_dump()
        return content | {"training": content["training"] | {"memory": 0.0}}

    def _class_weights(self, lesions: list[int]) -> Tensor:
        return pooled_class_weights(lesions, self.parameters.training.class_weights)

    def _patients(self, *parts: str) -> list[str]:
        """The patients of some parts, each once."""
        rows = np.concatenate(
            [NO_ROWS, *(self.parts[part] for part in parts if part in self.parts)]
        )
        return sorted(set(self.domain.index["patient"].iloc[rows]))
