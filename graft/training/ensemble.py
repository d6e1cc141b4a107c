"""Bagging and boosting: the sample weights of each member's training, and its share."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from graft.common.seeds import generator
from graft.console import say
from graft.data.task import Task
from graft.networks.classifier import Classifier
from graft.training.loop import logits
from graft.training.loss import class_weights

# Maps k and the weights (N,) of the training samples, on average 1, to the trained member k.
Fit = Callable[[int, Tensor], Classifier]


def bag(
    fit: Fit,
    task: Task,
    members: int,
    seed: int,
) -> tuple[list[Classifier], list[float]]:
    """Train by bagging: f(x) = (1/K) Σ f_k(x), each member on its own resample of the patients.

    Args:
        fit: trains one member.
        task: what the members train on.
        members: K.
        seed: of the resamples.

    Returns:
        The members, and their shares of the ensemble.
    """
    networks = [fit(k, bagging_weights(task, seed, k)) for k in range(members)]
    return networks, [1 / members] * members


def bagging_weights(task: Task, seed: int, k: int) -> Tensor:
    """The weights (N,) of the training samples of member k: how often its resample has them."""
    labels = task.train.labels.cpu().numpy()  # (N,)
    random = generator(seed, "bagging", k)
    times = bootstrap_patients(task.train.patients, labels, random)  # (N,)
    return _as_tensor(times * (len(times) / times.sum()), task)


def boost(
    fit: Fit,
    task: Task,
    members: int,
    balance: str,
    tell: bool = True,
) -> tuple[list[Classifier], list[float]]:
    """Train by boosting: f(x) = Σ αₖ f_k(x), with more weight on the errors of earlier members.

    The error that decides α weights the classes as the training loss does, by `balance`. After a
    member that is no better than chance (α = 0), the sample weights start again from 1.

    Args:
        fit: trains one member.
        task: what the members train on.
        members: K.
        balance: "balanced" or "none", see `class_weights`.
        tell: whether to print the error of each member.

    Returns:
        The members, and their α.
    """
    labels = task.train.labels  # (N,)
    balanced = class_weights(task, balance)[labels].cpu().numpy()  # (N,)
    weights = np.ones(len(labels))
    networks = []
    alphas = []
    for k in range(members):
        network = fit(k, _as_tensor(weights, task))
        predicted = logits(network, task.train).argmax(1)
        wrong = (predicted != labels).cpu().numpy()  # (N,)
        weights_of_errors = weights * balanced
        alpha = samme_alpha(wrong, weights_of_errors, len(task.domain.classes))
        if tell:
            error = _weighted_error(wrong, weights_of_errors)
            say(
                f"boosting: member {k} is wrong on {wrong.sum()} of {len(wrong)} lesions, "
                f"weighted error {error:.3f}, alpha {alpha:.3f}"
            )
        networks.append(network)
        alphas.append(alpha)
        weights = samme_weights(weights, wrong, alpha) if alpha > 0 else np.ones(len(labels))
    if tell and not any(alphas):
        say("boosting: no member is better than chance, so the ensemble is their plain mean")
    return networks, alphas


def _as_tensor(weights: np.ndarray, task: Task) -> Tensor:
    """Weights (N,) of the training samples as float32, on the device of the task."""
    return torch.from_numpy(weights).float().to(task.train.labels.device)


def bootstrap_patients(
    patients: np.ndarray,
    labels: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Count how often each of N samples is drawn if patients are drawn with replacement.

    All samples of a patient are drawn together: this is Breiman's bagging (1996) with the patient
    as the unit. A resample that lacks one of the classes is drawn again.

    Args:
        patients: (N,), the patient of each sample.
        labels: (N,) class codes.
        random: draws the patients.

    Returns:
        (N,) of int.
    """
    _, codes = np.unique(patients, return_inverse=True)  # (N,)
    count = codes.max() + 1
    classes = np.unique(labels)
    while True:
        drawn = random.integers(count, size=count)
        times_of_patients = np.bincount(drawn, minlength=count)
        times = times_of_patients[codes]  # (N,)
        if len(np.unique(labels[times > 0])) == len(classes):
            return times


def samme_alpha(wrong: np.ndarray, weights: np.ndarray, classes: int) -> float:
    """The weight of a member by SAMME, α = ln((1 − e) / e) + ln(C − 1).

    e is the weighted error Σwᵢ·wrongᵢ / Σwᵢ. With two classes α is that of AdaBoost. A member that
    is no better than chance (e ≥ 1 − 1/C) gets 0. A member without an error would get ∞. Its error
    counts as half of an average sample.

    Source: Zhu, Zou, Rosset and Hastie, Multi-class AdaBoost, Statistics and Its Interface 2
    (2009).

    Args:
        wrong: (N,) of bool, whether the member is wrong on a sample.
        weights: (N,), above 0.
        classes: C.
    """
    half_a_sample = 0.5 / len(weights)
    error = max(_weighted_error(wrong, weights), half_a_sample)
    if error >= 1:  # wrong everywhere, where the logarithm is −∞
        return 0.0
    alpha = math.log((1 - error) / error) + math.log(classes - 1)
    return max(0.0, alpha)


def _weighted_error(wrong: np.ndarray, weights: np.ndarray) -> float:
    return float(weights @ wrong / weights.sum())


def samme_weights(
    weights_before: np.ndarray,
    wrong: np.ndarray,
    alpha: float,
) -> np.ndarray:
    """The next member's sample weights wᵢ·exp(α·wrongᵢ), (N,), scaled to 1 on average."""
    weights = weights_before * np.exp(alpha * wrong)
    return weights * (len(weights) / weights.sum())


def shares(alphas: Sequence[float]) -> list[float]:
    """Scale the α to a sum of 1, so that Σ αₖ fₖ is a probability.

    The shares are equal if no member is better than chance, that is, if each α is 0.
    """
    total = math.fsum(alphas)
    if total > 0:
        return [alpha / total for alpha in alphas]
    return [1 / len(alphas)] * len(alphas)
