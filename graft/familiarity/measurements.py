"""What is measured of an input: intensities of its patch, spacing of its scan, features."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from graft.data.batches import consecutive, read_batches
from graft.data.image_rows import ImageRows, all_rows
from graft.networks.classifier import Classifier
from graft.networks.saved import TOGETHER, Model, fill_batch

INTENSITIES = ("intensity_mean", "intensity_sd", "intensity_roughness")
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class Measurements:
    """What was measured of N inputs.

    Attributes:
        intensities: (N,) by each name of INTENSITIES, of the patch in [0, 1]. The roughness is the
            mean absolute difference between neighbouring voxels.
        spacings: (N, 3) mm per voxel of the scan along R, A, S, or NaN; None if no scan has any.
        features: (N, F), as `model_features` extracts them; None if there is no model.
    """

    intensities: dict[str, np.ndarray]
    spacings: np.ndarray | None = None
    features: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.intensities[INTENSITIES[0]])


def measure(
    images: np.ndarray | ImageRows,
    spacings: np.ndarray | None = None,
    features: np.ndarray | None = None,
) -> Measurements:
    """Measure inputs.

    Args:
        images: (N, C, *patch) in [0, 1].
        spacings: (N, 3) mm per voxel of the scans before they were resampled, NaN if unknown.
        features: (N, F), as `model_features` extracts them.
    """
    rows = all_rows(images) if isinstance(images, np.ndarray) else images
    measured: dict[str, list[float]] = {name: [] for name in INTENSITIES}
    for block in rows.blocks():
        for image in block.astype(np.float64):  # (C, *patch)
            measured["intensity_mean"].append(float(image.mean()))
            measured["intensity_sd"].append(float(image.std()))
            measured["intensity_roughness"].append(_roughness(image))
    intensities = {name: np.array(values) for name, values in measured.items()}
    return Measurements(intensities, spacings, features)


@torch.inference_mode()
def model_features(model: Model, images: np.ndarray | ImageRows) -> np.ndarray:
    """The features (N, F) float64 by which a model's inputs are compared.

    They are the mean and the standard deviation of each channel of the first convolution, of the
    first network of an ensemble. docs/benchmarks.md compares them with those before the head: the
    head's features hardly differ between organs, because training makes them ignore what does not
    matter for its classes.

    Args:
        model: one network or an ensemble.
        images: (N, C, *patch) in [0, 1].
    """
    network = model.networks[0]
    chunks = [torch.zeros(0, 0, dtype=torch.float64)]
    for batch in read_batches(images, consecutive(len(images), TOGETHER), model.device):
        features = _first_layer(network, fill_batch(batch))[: len(batch)]
        chunks.append(features.double().cpu())
    return torch.cat(chunks[1:] or chunks).numpy()


def _first_layer(network: Classifier, images: Tensor) -> Tensor:
    """Mean and deviation of each channel of the first convolution: (B, C, *patch) to (B, 2K)."""
    first = next(layer for layer in network.body.modules() if isinstance(layer, CONVOLUTIONS))
    found: list[Tensor] = []
    handle = first.register_forward_hook(lambda layer, inputs, output: found.append(output))
    try:
        network.features(images)
    finally:
        handle.remove()
    planes = found[0].flatten(2)  # (B or 3·B, K, voxels)
    statistics = torch.cat([planes.mean(2), planes.std(2, correction=0)], 1)
    return statistics.unflatten(0, (-1, len(images))).mean(0)  # those of three planes are averaged


def _roughness(image: np.ndarray) -> float:
    steps = [np.abs(np.diff(image, axis=axis)).mean() for axis in range(1, image.ndim)]
    return float(np.mean(steps))
