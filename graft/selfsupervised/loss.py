"""The contrastive loss NT-Xent."""

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(projected: Tensor, temperature: float) -> Tensor:
    """The normalised temperature-scaled cross entropy of pairs of views, a scalar ().

    For view i with partner j, the loss is −log(exp(sᵢⱼ/τ) / Σ_{k≠i} exp(sᵢₖ/τ)), where sᵢₖ is the
    cosine of the angle between the vectors of two views. It is averaged over the 2B views.

    Source: Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations"
    (SimCLR), ICML 2020, equation 1.

    Args:
        projected: (2B, D), one view of each of B images followed by another view of each.
        temperature: τ.
    """
    views = len(projected)
    unit = F.normalize(projected, dim=1)
    similarities = unit @ unit.T / temperature  # (2B, 2B)
    itself = torch.eye(views, dtype=torch.bool, device=projected.device)
    partner = torch.arange(views, device=projected.device).roll(views // 2)
    return F.cross_entropy(similarities.masked_fill(itself, -torch.inf), partner)
