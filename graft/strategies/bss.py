"""Batch spectral shrinkage: L2-SP and a penalty on the weakest direction of a batch's features.

The penalty is η·σ², where σ is the smallest singular value of the features of a batch. It
suppresses the features that transfer least, which otherwise overfit.

Source: Chen et al., "Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage for
Safe Transfer Learning", NeurIPS 2019, with one singular value and the η of their implementation.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graft.common.code import code_digest
from graft.data.task import Task
from graft.strategies import l2_sp
from graft.strategies.watched import Watched, watch_input
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start

SHRINKAGE = 0.001  # η
SQUARINGS = 40  # of a matrix: two eigenvalues with a gap above 10⁻¹⁰ of their sum are told apart


@dataclass(frozen=True)
class SpectralShrinkage:
    """η·σ² of the features that a network's head reads.

    Attributes:
        inputs: of the head, with the covariates last.
        features: F, the number of inputs that are features.
    """

    inputs: Watched
    features: int

    @property
    def key(self) -> list:
        """Everything that decides the penalty, as in `FeaturePenalty`."""
        return ["bss", SHRINKAGE, code_digest(["strategies"])]

    def __call__(self, images: Tensor) -> Tensor:
        """The penalty of the last forward pass, a scalar ()."""
        return SHRINKAGE * smallest_squared_singular_value(self.inputs.tensor()[:, : self.features])


def train(start: Start, task: Task, plan: Plan, log: Log | None, show: bool) -> Row:
    """Train in place as L2-SP does, with the penalty."""
    head = start.network.head
    with watch_input(head) as inputs:
        shrinkage = SpectralShrinkage(inputs, head.in_features - start.network.covariates)
        return l2_sp.train(start, task, replace(plan, features=shrinkage), log, show)


def smallest_squared_singular_value(matrix: Tensor) -> Tensor:
    """The square of the smallest singular value of a matrix (B, F), a scalar ().

    It is the smallest eigenvalue of the smaller Gram matrix G. Its eigenvector comes from repeated
    squaring of I − G/2tr(G), without a gradient: that of an eigenvalue does not need one. PyTorch's
    decompositions wait for a GPU, which a captured step must not do.
    """
    wide = matrix.double()
    gram = wide @ wide.T if len(wide) <= wide.shape[1] else wide.T @ wide  # (n, n)
    with torch.no_grad():
        total = 2 * gram.trace() + torch.finfo(gram.dtype).tiny
        projection = torch.eye(len(gram), dtype=gram.dtype, device=gram.device) - gram / total
        for _ in range(SQUARINGS):
            projection = projection @ projection
            projection = projection / projection.trace()
    return (projection * gram).sum().to(matrix.dtype)
