"""The training of one site in one round, and its validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from graft.common.parallel import one_thread
from graft.data.task import Task
from graft.networks.classifier import Classifier
from graft.training.epoch import Epochs
from graft.training.loop import logits
from graft.training.penalty import pull_towards
from graft.training.plan import Plan
from graft.training.settings import Recipe, Training
from graft.training.state import State

MakeOptimizer = Callable[[torch.nn.Module, Recipe, Training], torch.optim.Optimizer]


def pooled_class_weights(lesions: Sequence[int], kind: str) -> Tensor:
    """The weight of each class in the loss, (C,), as if the lesions of all sites were in one place.

    With weights of their own, sites with other shares of the classes would minimise other losses.

    Args:
        lesions: N_c, the training lesions of each class at all sites.
        kind: "balanced" gives N / (C·N_c), as `graft.training.loss.class_weights` does; "none" 1.
    """
    counts = torch.tensor(lesions).clamp(min=1)
    if kind == "balanced":
        return sum(lesions) / (len(lesions) * counts)
    return torch.ones(len(lesions))


class LocalTraining:
    """The training of a network at a site.

    Each round starts from the parameters of the server, with a new optimizer.

    Args:
        network: changes in place.
        task: the lesions of the site.
        plan: how to train. Its recipe has the epochs of all rounds, for the learning rate.
        make: the optimizer of a round.
    """

    def __init__(self, network: Classifier, task: Task, plan: Plan, make: MakeOptimizer) -> None:
        self.network = network
        self.task = task
        self.plan = plan
        self.make = make

    def train(
        self,
        tensors: Mapping[str, Tensor],
        number: int,
        local_epochs: int,
        mu: float,
        class_weights: Tensor,
    ) -> dict[str, float]:
        """Train for one round; returns the mean loss and penalty of the last epoch.

        FedProx adds (μ/2)·‖θ − θ_global‖² to the loss (Li et al., "Federated Optimization in
        Heterogeneous Networks", MLSys 2020). L2-SP is λ·‖θ − θ_0‖² without the factor ½, so
        this is L2-SP with λ = μ/2.

        Args:
            tensors: the parameters of the server, by their names on disk.
            number: of the round, from 1.
            local_epochs: how many epochs the round has.
            mu: μ.
            class_weights: (C,).

        Raises:
            InputError: if the loss or the penalty is not finite.
        """
        device = self.task.train.labels.device
        self.network.load_saved_tensors(tensors)
        names = [name for name, _ in self.network.named_parameters()]
        pull = pull_towards(self.network, names, mu / 2, "l2") if mu else None
        plan = replace(self.plan, pull=pull)
        optimizer = self.make(self.network, plan.recipe, plan.training)
        weights = class_weights.to(device)[self.task.train.labels]  # (N,)
        with one_thread():
            epochs = Epochs(State(self.network, optimizer, {}, []), self.task.train, weights, plan)
            for epoch in range((number - 1) * local_epochs, number * local_epochs):
                row = epochs.run(epoch + 1)
        return row

    @torch.no_grad()
    def validate(self, tensors: Mapping[str, Tensor], class_weights: Tensor) -> tuple[float, float]:
        """The weighted sum of the validation losses, and the sum of the weights.

        Those of all sites, added up and divided, are the weighted mean over all lesions.
        """
        validation = self.task.validation
        if not len(validation):
            return 0.0, 0.0
        self.network.load_saved_tensors(tensors)
        with one_thread():
            outputs = logits(self.network, validation)  # (N, classes)
        losses = F.cross_entropy(outputs, validation.labels, reduction="none").double()
        weights = class_weights.to(losses.device)[validation.labels].double()
        return float((weights * losses).sum()), float(weights.sum())
