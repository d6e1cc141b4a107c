"""Bagging and boosting: who learns from which patients, and how the members are weighed."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from graft.common.seeds import generator
from graft.console import say
from graft.data.task import Task
from graft.training.loop import class_weights, logits

Fit = Callable[
    [int, Tensor], nn.Module
]  # (k, sample weights (N,), on average 1) -> the trained member k


def bag(fit: Fit, task: Task, members: int, seed: int) -> tuple[list[nn.Module], list[float]]:
    """Bagging: K members, each on its own resample of the patients; f(x) = (1/K) Σ f_k(x)."""
    networks = []
    labels = task.train.labels.cpu().numpy()
    for k in range(members):
        times = bootstrap_patients(task.train.patients, labels, generator(seed, "bagging", k))
        networks.append(fit(k, _tensor(times * (len(times) / times.sum()), task)))
    return networks, [1 / members] * members


def boost(fit: Fit, task: Task, members: int, balance: str) -> tuple[list[nn.Module], list[float]]:
    """Boosting: each member minds what its predecessors got wrong; f(x) = Σ αₖ f_k(x), the α of SAMME.

    The error that decides α counts the classes as the training loss does, by `balance`. After a member no better
    than chance (α = 0) the sample weights start anew from 1.
    """
    networks, alphas = [], []
    labels, classes = task.train.labels, len(task.domain.classes)
    balanced = class_weights(task, balance)[labels].cpu().numpy()
    weights = np.ones(len(labels))
    for k in range(members):
        network = fit(k, _tensor(weights, task))
        wrong = (logits(network, task.train).argmax(1) != labels).cpu().numpy()
        alpha = samme_alpha(wrong, weights * balanced, classes)
        error = _error(wrong, weights * balanced)
        say(
            f"boosting: member {k} errs on {wrong.sum()} of {len(wrong)} lesions, weighted {error:.3f}, alpha {alpha:.3f}"
        )
        networks.append(network)
        alphas.append(alpha)
        weights = samme_weights(weights, wrong, alpha) if alpha else np.ones(len(labels))
    return networks, shares(alphas)


def _tensor(weights: np.ndarray, task: Task) -> Tensor:
    return torch.from_numpy(weights).float().to(task.train.labels.device)


def bootstrap_patients(
    patients: Sequence[str], labels: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """How often each of N samples is drawn (N,) when as many patients as there are are drawn with replacement.

    All samples of a patient go together (Breiman's bagging, 1996, with the patient as the unit). A
    resample without one of the classes is drawn again.
    """
    _, codes = np.unique(patients, return_inverse=True)
    count = codes.max() + 1
    while True:
        times = np.bincount(random.integers(count, size=count), minlength=count)[codes]  # (N,)
        if len(np.unique(labels[times > 0])) == len(np.unique(labels)):
            return times


def samme_alpha(wrong: np.ndarray, weights: np.ndarray, classes: int) -> float:
    """The weight of a member in the sum, α = ln((1 − e) / e) + ln(C − 1), of SAMME.

    e is the weighted error Σwᵢ·wrongᵢ / Σwᵢ; `wrong` (N,) is boolean, `weights` (N,) are positive. With
    two classes this is AdaBoost's. A member no better than chance (e ≥ 1 − 1/C) gets 0. One without an
    error would get ∞: it counts as if half of one average sample were wrong.

    Source: Zhu, Zou, Rosset and Hastie, Multi-class AdaBoost, Statistics and Its Interface 2 (2009).
    """
    error = max(_error(wrong, weights), 0.5 / len(weights))
    return max(0.0, math.log((1 - error) / error) + math.log(classes - 1))


def _error(wrong: np.ndarray, weights: np.ndarray) -> float:
    return float(weights @ wrong / weights.sum())


def samme_weights(weights: np.ndarray, wrong: np.ndarray, alpha: float) -> np.ndarray:
    """The next member's sample weights wᵢ·exp(α·wrongᵢ), (N,), scaled to 1 on average."""
    weights = weights * np.exp(alpha * wrong)
    return weights * (len(weights) / weights.sum())


def shares(alphas: Sequence[float]) -> list[float]:
    """The α scaled to a sum of 1, so that Σ αₖ fₖ is a probability; equal where no member beat chance."""
    total = math.fsum(alphas)
    return [alpha / total for alpha in alphas] if total > 0 else [1 / len(alphas)] * len(alphas)
