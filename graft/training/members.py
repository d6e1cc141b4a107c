"""The trainings of an ensemble. The members of a bag are independent, so they run in parallel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from graft.networks.classifier import Classifier
from graft.training.continuation import Continuation
from graft.training.ensemble import bag, bagging_weights, boost, shares
from graft.training.fitting import train_network
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.stage import Trained
from graft.training.state import Row


@dataclass(frozen=True)
class Ensembling(Continuation):
    """Train an ensemble whose members all start from the network of an earlier model.

    Attributes:
        method: bagging or boosting.
        count: K, the number of members.
    """

    method: Literal["bagging", "boosting"]
    count: int

    def members(self, fold: int) -> Sequence[int]:
        """All members of a bag. Those of a boosted ensemble depend on each other."""
        return range(self.count if self.method == "bagging" else 1)

    def train_member(self, fold: int, member: int) -> None:
        """Train a member of a bag, or a boosted ensemble as a whole."""
        if self.method == "boosting":
            self.train(fold)
            return
        parent = self.load_parent(fold)
        (network,) = parent.networks
        task = self.task(fold, parent.encoding)
        weights = bagging_weights(task, self.plan.seed, member)
        plan = plan_of_member(self.plan_of(fold), member)
        train_network(network, task, plan, weights=weights, show=False)

    def train(self, fold: int, log: Log | None = None, show: bool = False) -> Trained:
        """Train all members, one after the other, as in `StageTraining`."""
        parent = self.load_parent(fold)
        task = self.task(fold, parent.encoding)
        plan = self.plan_of(fold)
        scores: list[Row] = []

        def fit(k: int, weights: Tensor) -> Classifier:
            (member,) = self.load_parent(fold).networks
            best = train_network(member, task, plan_of_member(plan, k), log, weights, show)
            scores.append(best)
            return member

        if self.method == "bagging":
            networks, equal = bag(fit, task, self.count, self.plan.seed)
            fitted = {"shares": equal}
        else:
            balance = self.plan.training.class_weights
            networks, alphas = boost(fit, task, self.count, balance, tell=log is not None)
            fitted = {"shares": shares(alphas), "alphas": alphas}
        card = {"parent": self.describe_parent(fold), **fitted, "scores": scores}
        return Trained(networks, parent.card["architecture"], task, card)


def plan_of_member(plan: Plan, k: int) -> Plan:
    """How member k of an ensemble trains: with random draws of its own."""
    return replace(plan, purpose=f"{plan.purpose}/{k}")
