"""Frozen features: the pretrained network as it is, and a logistic regression on what it makes of an image.

What transfer would be without training the network: where it does as well, the rest of finetune is not needed.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from graft import networks
from graft.domain import Domain
from graft.grafting import Start
from graft.model import BATCH
from graft.samples import Samples, Task, part

STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)  # C, the inverse of the L2 penalty, strictest first
ITERATIONS = 1000  # of a regression at most
LOSS_DECIMALS = 9  # equal losses must tie, whatever their last bit


def predict(
    start: Start, task: Task, domain: Domain, asked: Iterable[np.ndarray], class_weights: str
) -> list[np.ndarray]:
    """Probabilities (N, classes) of rows of the domain, one array for each of `asked`.

    The features of the last layer, the covariates among them, are standardised by the training part. C is the one of
    STRENGTHS with the least log loss on the validation part, of equal ones the strictest. Nothing is drawn at random.
    """
    from sklearn.linear_model import LogisticRegression  # late: it takes a second
    from sklearn.metrics import log_loss
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network, name = start.network.eval(), start.architecture["name"]
    train, validation = (features(network, name, found) for found in (task.train, task.validation))
    labels, checked = (found.labels.cpu().numpy() for found in (task.train, task.validation))
    weights = "balanced" if class_weights == "balanced" else None
    classes = len(domain.classes)
    fits, losses = [], []
    for strength in STRENGTHS:
        regression = LogisticRegression(C=strength, class_weight=weights, max_iter=ITERATIONS)
        fits.append(make_pipeline(StandardScaler(), regression).fit(train, labels))
        losses.append(log_loss(checked, _all_classes(fits[-1], validation, classes), labels=range(classes)))
    best = fits[int(np.argmin(np.round(losses, LOSS_DECIMALS)))]
    device = task.train.labels.device
    found = (features(network, name, part(domain, rows, task.encoding, device)) for rows in asked)
    return [_all_classes(best, each, classes) for each in found]


@torch.inference_mode()
def features(network: nn.Module, name: str, samples: Samples) -> np.ndarray:
    """What the last layer of a network of the architecture `name` reads: (N, F) float64."""
    head = network.get_submodule(networks.HEADS[name].rstrip("."))
    read: list[Tensor] = []

    def keep(_: nn.Module, inputs: Sequence[Tensor]) -> None:
        read.append(inputs[0].double().cpu())

    hook = head.register_forward_pre_hook(keep)
    try:
        for first in range(0, len(samples), BATCH):
            rows = slice(first, first + BATCH)
            network(samples.images[rows].float(), *samples.known(rows))
    finally:
        hook.remove()
    known = [found.double().cpu() for found in samples.known(slice(None))]
    return torch.cat([torch.cat(read), *known], 1).numpy()


def _all_classes(fitted: object, found: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities (N, classes): 0 of a class that the training part lacks."""
    said = np.zeros((len(found), classes))
    said[:, fitted.classes_] = fitted.predict_proba(found)
    return said
