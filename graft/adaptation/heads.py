"""New heads over unchanged features, pulled towards the heads of the model.

Each head minimises Σ cross-entropy + λ·‖θ - θ_model‖², which is L2-SP for the last layer: Li,
Grandvalet and Davoine, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks",
ICML 2018. Here θ belongs to features that are divided by their deviation at the site.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from scipy.special import log_softmax, softmax

from graft.adaptation.site import Site
from graft.networks.features import extract_features
from graft.networks.saved import Model
from graft.prediction.predictor import Predictor
from graft.statistics.scores import PROBABILITY_DECIMALS

# λ is this times the number of inputs of the head: the logits of a lesion then change by about
# 1 / √(2 · 0.5) = 1 before any label is seen.
STRENGTH = 0.5
DECIMALS = 6  # of a weight; the last bits of a sum depend on the machine
STEPS = 500  # of L-BFGS, at most


@dataclass(frozen=True)
class Head:
    """The last layer of a network: weights (C, F) and a bias (C,)."""

    weights: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Heads:
    """What the heads of a model's networks read of the lesions of a site.

    Attributes:
        model: the networks.
        images: (N, C, *patch).
        covariates: (N, K), encoded; None if the model reads none.
    """

    model: Model
    images: np.ndarray
    covariates: np.ndarray | None

    @classmethod
    def of(cls, predictor: Predictor, site: Site, images: np.ndarray) -> "Heads":
        """Prepare the heads of a model for the lesions of a site and their images."""
        encoding = predictor.model.encoding
        covariates = None
        if encoding.width:
            rows = pd.concat([predictor.covariates_of(one) for one in site.inputs])
            covariates = encoding.encode(rows).astype(np.float64)
        return cls(predictor.model, images, covariates)

    @cached_property
    def inputs(self) -> list[np.ndarray]:
        """The inputs (V, N, F) of the head of each network, of each view of the images."""
        views = list(self.model.views(torch.from_numpy(self.images)))
        found = []
        for network in self.model.networks:
            features = [extract_features(network, view.numpy()) for view in views]
            if self.covariates is not None:
                features = [np.concatenate([one, self.covariates], 1) for one in features]
            found.append(np.stack(features))
        return found

    def fit(
        self,
        labelled: np.ndarray,
        seen: np.ndarray,
        labels: np.ndarray,
        temperature: float,
        bias: Sequence[float],
    ) -> tuple[Head, ...]:
        """Fit the head of each network.

        Args:
            labelled: the numbers of the lesions to fit it to.
            seen: the numbers of the lesions whose features are standardised by.
            labels: (N,) class codes.
            temperature: of the calibration, with which the loss is computed.
            bias: (C,) of the calibration.
        """
        heads = []
        for network, inputs in zip(self.model.networks, self.inputs, strict=True):
            old = Head(_as_array(network.head.weight), _as_array(network.head.bias))
            deviation = inputs[:, seen].std((0, 1))
            deviation[deviation == 0] = np.inf  # a feature that never changes tells nothing
            middle = inputs[:, seen].mean((0, 1))
            steps = (inputs[:, labelled] - middle) / deviation  # (V, n, F)
            start = inputs[:, labelled] @ old.weights.T + old.bias  # (V, n, C)
            moved, shift = _fit_change(
                steps, start, labels[labelled], temperature, np.asarray(bias)
            )
            weights = moved / deviation
            heads.append(
                Head(
                    (old.weights + weights).round(DECIMALS),
                    (old.bias + shift - weights @ middle).round(DECIMALS),
                )
            )
        return tuple(heads)

    def predict(self, heads: Sequence[Head]) -> np.ndarray:
        """The probabilities (N, C) of the model with other heads."""
        total = np.zeros((len(self.images), len(heads[0].bias)))
        shares = self.model.card["shares"]
        for share, head, inputs in zip(shares, heads, self.inputs, strict=True):
            logits = inputs @ head.weights.T + head.bias  # (V, N, C)
            total += share * softmax(logits, axis=2).mean(0)
        return total.round(PROBABILITY_DECIMALS)


def _fit_change(
    steps: np.ndarray,
    start: np.ndarray,
    labels: np.ndarray,
    temperature: float,
    bias: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit the change of the weights (C, F) and of the bias (C,) for standardised inputs.

    Args:
        steps: (V, n, F).
        start: (V, n, C) logits before the change.
        labels: (n,) class codes.
        temperature: by which logits are divided.
        bias: (C,) that is added then.
    """
    from scipy.optimize import minimize  # late: it takes a tenth of a second

    views, cases, width = steps.shape
    classes = start.shape[2]
    constant = np.full((views, cases, 1), np.sqrt(width))  # the bias moves as much as all weights
    inputs = np.concatenate([steps, constant], axis=2)  # (V, n, F + 1)
    truth = np.eye(classes)[labels]  # (n, C)

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        change = values.reshape(classes, width + 1)
        logits = (start + inputs @ change.T) / temperature + bias
        logs = log_softmax(logits, axis=2)  # (V, n, C)
        loss = -(logs * truth).sum() / views + STRENGTH * width * (values**2).sum()
        errors = (np.exp(logs) - truth) / (views * temperature)
        gradient = np.einsum("vnc,vnf->cf", errors, inputs)
        return loss, gradient.ravel() + 2 * STRENGTH * width * values

    first = np.zeros(classes * (width + 1))
    found = minimize(objective, first, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    change = found.x.reshape(classes, width + 1)
    return change[:, :width], change[:, width] * np.sqrt(width)


def _as_array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().cpu().double().numpy()
