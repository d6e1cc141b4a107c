"""The features of images that the head of a network reads."""

import numpy as np
import torch

from graft.data.batches import Images, consecutive, read_batches
from graft.networks.classifier import Classifier
from graft.networks.saved import BATCH


@torch.inference_mode()
def extract_features(network: Classifier, images: Images) -> np.ndarray:
    """The features (N, F) float64 of images (N, C, *patch) in [0, 1], without the covariates."""
    device = next(network.parameters()).device
    chunks = []
    for batch in read_batches(images, consecutive(len(images), BATCH), device):
        features = network.features(batch)  # (B, F)
        chunks.append(features.double().cpu())
    return torch.cat(chunks).numpy()
