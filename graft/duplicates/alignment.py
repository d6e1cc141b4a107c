"""How well two images agree where they overlap after a shift and a mirror image."""

from dataclasses import dataclass

import numpy as np

FINE = 1.0  # voxels, the deviation of the Gaussian that removes noise
SURROUNDINGS = 7  # voxels along each axis, of which the local mean and deviation are taken
NOISE = 0.02  # of the window: a local deviation that counts as noise


@dataclass(frozen=True)
class Alignment:
    """Where two images may show the same: the second one is mirrored, then shifted.

    Attributes:
        first: the number of an image.
        second: the number of another image.
        mirrored: the axes along which the second image is reversed.
        shift: voxels along each axis by which it is then moved.
    """

    first: int
    second: int
    mirrored: tuple[int, ...]
    shift: tuple[int, ...]

    def overlap(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the part of two images (*spatial) in which they overlap."""
        mirrored = np.flip(second, self.mirrored)
        spans = []
        other_spans = []
        for size, shift in zip(first.shape, self.shift, strict=True):
            spans.append(slice(max(0, shift), size + min(0, shift)))
            other_spans.append(slice(max(0, -shift), size - max(0, shift)))
        return first[tuple(spans)], mirrored[tuple(other_spans)]


def with_fraction(
    first: np.ndarray, second: np.ndarray, details: tuple[np.ndarray, np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return two images (*spatial) as they are, and with the second moved by a part of a voxel.

    The part is the one at which their details agree best. The images of the second pair lack the
    outermost voxels, which may have come from outside.
    """
    from scipy.ndimage import shift

    fraction = _best_fraction(*details)
    moved = shift(second, fraction, order=1, mode="nearest")
    inner = (slice(1, -1),) * first.ndim
    return [(first, second), (first[inner], moved[inner])]


def pearson(first: np.ndarray, second: np.ndarray) -> float:
    """Compute Pearson's correlation; 0 if one of the images has only one value."""
    first = first - first.mean()
    second = second - second.mean()
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(np.vdot(first, second) / lengths) if lengths > 0 else 0.0


def detail(image: np.ndarray) -> np.ndarray:
    """Return the image without its local mean and contrast.

    Without them, an edge, such as the pleura, counts no more than the texture beside it.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    smooth = gaussian_filter(image, FINE, mode="nearest", truncate=3)
    residue = smooth - uniform_filter(smooth, SURROUNDINGS, mode="nearest")
    variance = uniform_filter(residue**2, SURROUNDINGS, mode="nearest")
    deviation = np.sqrt(np.maximum(variance, 0))
    return residue / (deviation + NOISE)


def _best_fraction(first: np.ndarray, second: np.ndarray) -> list[float]:
    """Return the shift of the second image along each axis, up to half a voxel.

    It is the peak of the parabola through the correlations at -1, 0 and 1 voxel.
    """
    fractions = []
    correlation = pearson(first, second)
    sign = np.sign(correlation)
    middle = abs(correlation)
    for axis in range(first.ndim):
        until_last = np.arange(first.shape[axis] - 1)
        from_second = until_last + 1
        # A shift by +1 puts the voxel k of the second image on the voxel k + 1 of the first.
        forward = pearson(first.take(from_second, axis), second.take(until_last, axis))
        back = pearson(first.take(until_last, axis), second.take(from_second, axis))
        slope = sign * (forward - back) / 2
        curvature = 2 * middle - sign * (forward + back)
        peak = slope / curvature if curvature > 0 else 0.0
        fractions.append(float(np.clip(peak, -0.5, 0.5)))
    return fractions
