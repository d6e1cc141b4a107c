"""Bagging and boosting: which patients each member trains on, and how the members are weighted."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from graft.common.seeds import generator
from graft.console import say
from graft.data.task import Task
from graft.networks.classifier import Classifier
from graft.training.loop import class_weights, logits

# (k, weights of the samples (N,), on average 1) -> the trained member k
Fit = Callable[[int, Tensor], Classifier]


def bag(fit: Fit, task: Task, members: int, seed: int) -> tuple[list[Classifier], list[float]]:
    """Bagging: f(x) = (1/K) Σ f_k(x), each member on its own resample of the patients.

    Returns:
        The members, and their shares of the ensemble.
    """
    networks = []
    labels = task.train.labels.cpu().numpy()
    for k in range(members):
        random = generator(seed, "bagging", k)
        times = bootstrap_patients(task.train.patients, labels, random)  # (N,)
        networks.append(fit(k, _as_tensor(times * (len(times) / times.sum()), task)))
    return networks, [1 / members] * members


def boost(fit: Fit, task: Task, members: int, balance: str) -> tuple[list[Classifier], list[float]]:
    """Boosting: f(x) = Σ αₖ f_k(x), each member with more weight on its predecessors' errors.

    The error that decides α weights the classes as the training loss does, by `balance`. After a
    member that is no better than chance (α = 0), the sample weights start again from 1.

    Returns:
        The members, and their shares of the ensemble.
    """
    networks, alphas = [], []
    labels, classes = task.train.labels, len(task.domain.classes)
    balanced = class_weights(task, balance)[labels].cpu().numpy()  # (N,)
    weights = np.ones(len(labels))
    for k in range(members):
        network = fit(k, _as_tensor(weights, task))
        wrong = (logits(network, task.train).argmax(1) != labels).cpu().numpy()  # (N,)
        alpha = samme_alpha(wrong, weights * balanced, classes)
        error = _error(wrong, weights * balanced)
        say(
            f"boosting: member {k} is wrong on {wrong.sum()} of {len(wrong)} lesions, "
            f"weighted error {error:.3f}, alpha {alpha:.3f}"
        )
        networks.append(network)
        alphas.append(alpha)
        weights = samme_weights(weights, wrong, alpha) if alpha else np.ones(len(labels))
    return networks, shares(alphas)


def _as_tensor(weights: np.ndarray, task: Task) -> Tensor:
    return torch.from_numpy(weights).float().to(task.train.labels.device)


def bootstrap_patients(
    patients: np.ndarray, labels: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """How often each of N samples is drawn if the patients are drawn with replacement: (N,).

    All samples of a patient go together: this is Breiman's bagging (1996) with the patient as the
    unit. A resample that lacks one of the classes is drawn again.
    """
    _, codes = np.unique(patients, return_inverse=True)
    count = codes.max() + 1
    while True:
        drawn = np.bincount(random.integers(count, size=count), minlength=count)
        times = drawn[codes]  # (N,)
        if len(np.unique(labels[times > 0])) == len(np.unique(labels)):
            return times


def samme_alpha(wrong: np.ndarray, weights: np.ndarray, classes: int) -> float:
    """The weight of a member, α = ln((1 − e) / e) + ln(C − 1), of SAMME.

    e is the weighted error Σwᵢ·wrongᵢ / Σwᵢ. With two classes this is AdaBoost's. A member that is
    no better than chance (e ≥ 1 − 1/C) gets 0. One without an error would get ∞. It counts as if
    half of one average sample were wrong.

    Source: Zhu, Zou, Rosset and Hastie, Multi-class AdaBoost, Statistics and Its Interface 2
    (2009).

    Args:
        wrong: (N,) of bool.
        weights: (N,), above 0.
        classes: C.
    """
    error = max(_error(wrong, weights), 0.5 / len(weights))
    return max(0.0, math.log((1 - error) / error) + math.log(classes - 1))


def _error(wrong: np.ndarray, weights: np.ndarray) -> float:
    return float(weights @ wrong / weights.sum())


def samme_weights(weights_before: np.ndarray, wrong: np.ndarray, alpha: float) -> np.ndarray:
    """The next member's sample weights wᵢ·exp(α·wrongᵢ), (N,), scaled to 1 on average."""
    weights = weights_before * np.exp(alpha * wrong)
    return weights * (len(weights) / weights.sum())


def shares(alphas: Sequence[float]) -> list[float]:
    """The α scaled to a sum of 1, so that Σ αₖ fₖ is a probability.

    The shares are equal if no member beats chance.
    """
    total = math.fsum(alphas)
    if total > 0:
        return [alpha / total for alpha in alphas]
    return [1 / len(alphas)] * len(alphas)
