"""The features of images that the head of a network reads."""

import numpy as np
import torch

from graft.data.batches import Images, consecutive, read_batches
from graft.networks.classifier import Classifier
from graft.networks.saved import TOGETHER, fill_batch


@torch.inference_mode()
def extract_features(network: Classifier, images: Images) -> np.ndarray:
    """The features (N, F) float64 of images (N, C, *patch) in [0, 1], without the covariates."""
    device = next(network.parameters()).device
    chunks = []
    for batch in read_batches(images, consecutive(len(images), TOGETHER), device):
        features = network.features(fill_batch(batch))  # (TOGETHER, F)
        chunks.append(features[: len(batch)].double().cpu())
    return torch.cat(chunks).numpy()
