"""The features of images that the head of a network reads."""

import numpy as np
import torch
from torch import Tensor

from graft.networks.classifier import Classifier
from graft.networks.saved import BATCH


@torch.inference_mode()
def extract_features(network: Classifier, images: np.ndarray | Tensor) -> np.ndarray:
    """The features (N, F) float64 of images (N, C, *patch) in [0, 1], without the covariates."""
    device = next(network.parameters()).device
    chunks = []
    for start in range(0, len(images), BATCH):
        batch = torch.as_tensor(images[start : start + BATCH]).to(device, torch.float32)
        features = network.features(batch)  # (B, F)
        chunks.append(features.double().cpu())
    return torch.cat(chunks).numpy()
