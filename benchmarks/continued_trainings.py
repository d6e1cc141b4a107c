"""Trainings that continue the network of `finetune`, as `regularize` and the ensembles do."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.clone import ROOT
from benchmarks.strategies import LAMBDA
from benchmarks.trials import draw_rows, finetuning
from graft.common.seeds import derive
from graft.config.parameters import Parameters, load_parameters
from graft.data.image_rows import ImageRows
from graft.data.reference import DomainReference
from graft.data.split import read_split
from graft.data.task import NO_ROWS, Task, make_task
from graft.networks.classifier import Classifier
from graft.networks.device import use_deterministic_algorithms
from graft.networks.reference import ModelReference
from graft.networks.saved import Model
from graft.repeated.cache import Arrays, CachedTraining, collect_results
from graft.repeated.kept_weights import rebuild
from graft.repeated.trainings import PulledSource, RepeatedTrainings, Rows
from graft.training.checkpoint import clear_checkpoints, key_digest
from graft.training.ensemble import bag, boost
from graft.training.fitting import train_network
from graft.training.plan import Plan
from graft.training.settings import Recipe
from graft.transfer.start import Start, start_from_source

STAGE = "continued"  # names the trainings in the cache
MEMBERS = 5  # of the larger ensembles


@dataclass(frozen=True)
class Chain:
    """For how many epochs `regularize` and each member of an ensemble train.

    With 0 epochs of `regularize` the members are fine-tuned from the source by L2-SP.
    """

    regularize: int
    ensemble: int

    @property
    def title(self) -> str:
        """In the table."""
        if not self.regularize:
            return f"{self.ensemble} epochs from the source"
        return f"{self.regularize} and {self.ensemble} epochs"


SOURCE = Chain(0, 40)


@dataclass(frozen=True)
class Continued:
    """The later trainings of one draw, small enough to be sent to another process.

    Attributes:
        target: the domain.
        parameters: of params.yaml.
        chain: how long they train.
        rows: to train on and to predict.
        seed: of the trainings.
        source: the pretrained network.
        transfer: the weights and predictions of the fine-tuned network.
        checkpoints: a folder of their own.
    """

    target: DomainReference
    parameters: Parameters
    chain: Chain
    rows: Rows
    seed: int
    source: ModelReference
    transfer: Arrays
    checkpoints: Path

    def run(self) -> Arrays:
        """Train. The result has the members' probabilities (K, N, C), α, and the CPU seconds."""
        use_deterministic_algorithms()
        domain = self.target.read()
        memory = self.parameters.training.memory
        task = make_task(domain, self.rows.train, NO_ROWS, torch.device("cpu"), memory=memory)
        found: dict[str, np.ndarray] = {"transfer": self.transfer["predicted"]}
        start = self._fine_tuned
        if self.chain.regularize:
            began = time.process_time()
            network = start()
            train_network(network, task, self._plan("regularize"), show=False)
            self._keep(found, "regularized", [network], began)
            start = partial(copy.deepcopy, network)
        for method in ("bagging", "boosting"):
            self._ensemble(found, method, task, start)
        clear_checkpoints(self.checkpoints)
        return found

    def _ensemble(
        self, found: dict, method: str, task: Task, start: Callable[[], Classifier]
    ) -> None:
        plan = self._plan("ensemble")

        def fit(k: int, weights: Tensor) -> Classifier:
            of_member = replace(plan, purpose=f"ensemble-{method}/{k}")
            member = start()
            if not self.chain.regularize:
                begun = self._from_source(task)
                member, of_member = begun.network, replace(of_member, pull=begun.pull)
            train_network(member, task, of_member, None, weights, show=False)
            return member

        balance = self.parameters.training.class_weights
        began = time.process_time()
        if method == "bagging":
            networks, _ = bag(fit, task, MEMBERS, self.seed)
        else:
            networks, alphas = boost(fit, task, MEMBERS, balance, tell=False)
            found["alphas"] = np.array(alphas)
        self._keep(found, method, networks, began)

    def _from_source(self, task: Task) -> Start:
        recipe = self.parameters.finetune
        model = self.source.load(torch.device("cpu"))
        return start_from_source(model, task, recipe, LAMBDA, self.seed, torch.device("cpu"))

    def _fine_tuned(self) -> Classifier:
        return rebuild(self.transfer, self._card["architecture"])

    @property
    def _card(self) -> dict:
        return self.source.load(torch.device("cpu")).card

    def _plan(self, stage: str) -> Plan:
        if self.chain.regularize:
            epochs = getattr(self.chain, stage)
            recipe = getattr(self.parameters, stage).model_copy(update={"epochs": epochs})
        else:
            recipe = self.parameters.finetune.model_copy(update={"epochs": self.chain.ensemble})
        recipe = Recipe(**recipe.model_dump(include=set(Recipe.model_fields)))
        training, augment = self.parameters.training, self.parameters.augment
        return Plan(recipe, training, augment, self.seed, stage, self.checkpoints)

    def _keep(self, found: dict, name: str, networks: Sequence[Classifier], began: float) -> None:
        """Keep the CPU seconds of a model, and what its members predict."""
        found[f"seconds.{name}"] = np.array([time.process_time() - began])
        images = ImageRows(self.target.read().images, self.rows.predicted)
        predicted = []
        for network in networks:
            card = {**self._card, "shares": [1.0]}
            predicted.append(Model(card, [network.eval()]).predict(images))
        found[name] = np.stack(predicted).astype(np.float32)


def run_chains(
    clone: Path, work: Path, chains: Sequence[Chain], patients: int, draws: int, seed: int
) -> tuple[np.ndarray, list[list[Arrays]]]:
    """Fine-tune on each draw of labelled patients, continue by each chain, and predict the test.

    Args:
        clone: has the processed target, its split and the source network of the stage `pretrain`.
        work: the folder of finished trainings and checkpoints.
        chains: to train.
        patients: who train, in each draw.
        draws: D.
        seed: of the draws and of the trainings.

    Returns:
        The class codes (N,) of the test part, and D results of `Continued.run` for each chain.
    """
    parameters = load_parameters(ROOT / "params.yaml")
    name = parameters.target
    target = DomainReference.to(clone / "data/processed" / name, work / "verified")
    domain = target.read()
    parts = read_split(clone / "data/splits" / f"{name}.csv", domain.index)
    rows = draw_rows(domain, parts, {"test": parts["test"]}, patients, draws, seed)
    source = ModelReference.to(clone / "models/pretrained")
    common = RepeatedTrainings(
        stage=STAGE,
        target=target,
        settings=finetuning(parameters),
        device=torch.device("cpu"),
        checkpoints=work / "checkpoints",
    )
    pulled = PulledSource("pretrained", source, LAMBDA)
    seeds = [derive(seed, STAGE, draw) for draw in range(draws)]
    first = [
        common.plan_one(
            f"transfer, draw {draw + 1}", "l2-sp", rows[draw], seeds[draw], pulled, True
        )
        for draw in range(draws)
    ]
    fine_tuned = common.collect(first, work / "trainings")
    planned = []
    for chain in chains:
        for draw, (training, arrays) in enumerate(zip(first, fine_tuned, strict=True)):
            settings = [
                getattr(parameters, section).model_dump()
                for section in ("regularize", "ensemble", "finetune")
            ]
            key = [training.key, chain.regularize, chain.ensemble, MEMBERS, settings]
            checkpoints = common.checkpoints / STAGE / key_digest(key, ())
            continued = Continued(
                target, parameters, chain, rows[draw], seeds[draw], source, arrays, checkpoints
            )
            title = f"{chain.title}, draw {draw + 1}"
            planned.append(CachedTraining(title, ["continued", key], continued.run))
    results = collect_results(STAGE, planned, work / "trainings")
    by_chain = [results[first : first + draws] for first in range(0, len(results), draws)]
    labels = domain.index["label"].iloc[parts["test"]].map(domain.classes.index).to_numpy()
    return labels, by_chain
