"""What is measured of an input: intensities of its patch, spacing of its scan, features."""

from dataclasses import dataclass

import numpy as np

from graft.data.image_rows import ImageRows, all_rows
from graft.networks.features import extract_features
from graft.networks.saved import Model

INTENSITIES = ("intensity_mean", "intensity_sd", "intensity_roughness")


@dataclass(frozen=True)
class Measurements:
    """What was measured of N inputs.

    Attributes:
        intensities: (N,) by each name of INTENSITIES, of the patch in [0, 1]. The roughness is the
            mean absolute difference between neighbouring voxels.
        spacings: (N, 3) mm per voxel of the scan along R, A, S, or NaN; None if it has none.
        features: (N, F) of the network, as `model_features` extracts them; None if not extracted.
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
        features: (N, F) as `model_features` extracts them.
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


def model_features(model: Model, images: np.ndarray | ImageRows) -> np.ndarray:
    """The features (N, F) float64 that the head of the model's first network reads of images.

    Args:
        model: one network or an ensemble.
        images: (N, C, *patch) in [0, 1].
    """
    return extract_features(model.networks[0], images)


def _roughness(image: np.ndarray) -> float:
    steps = [np.abs(np.diff(image, axis=axis)).mean() for axis in range(1, image.ndim)]
    return float(np.mean(steps))
