"""What a network makes of an image before its last layer decides."""

import numpy as np
import torch
from torch import Tensor, nn

from graft.networks.build import HEADS, JointHead
from graft.networks.saved import BATCH


@torch.inference_mode()
def features(network: nn.Module, name: str, images: np.ndarray | Tensor) -> np.ndarray:
    """The features (N, F) float64 of images (N, C, *spatial) in [0, 1] that the head of the architecture `name` reads.

    Of a head that reads covariates too, only what comes from the image. The network is left as it was.
    """
    where = HEADS[name].rstrip(".")
    head = network.get_submodule(where)
    device = next(network.parameters()).device
    unknown = (
        (None,) if isinstance(head, JointHead) else ()
    )  # covariates, which nothing but the head would read
    network.set_submodule(where, nn.Identity())
    try:
        chunks = []
        for start in range(0, len(images), BATCH):
            batch = torch.as_tensor(images[start : start + BATCH]).to(device, torch.float32)
            chunks.append(network(batch, *unknown).double().cpu())  # (B, F)
    finally:
        network.set_submodule(where, head)
    return torch.cat(chunks).numpy()
