"""Windows for intensities that have no unit, as in MR and ultrasound: told by each scan's own foreground."""

import math

import numpy as np

from graft.common.files import InputError

MOST_VOXELS = 1 << 22  # looked at in one scan


def to_raw(window: tuple[float, float], intensity: str, voxels: np.ndarray) -> tuple[float, float]:
    """The raw intensities of a scan that become 0 and 1.

    `intensity` says what `window` counts in: `window` raw intensities, `percentile` percentiles of the scan's
    foreground, `zscore` standard deviations from its mean. So a gain above 0 and an offset of the scan cancel out.

    The foreground is the voxels above the scan's least: where the background was set to 0, those other than 0,
    over which nnU-Net normalises MR (Isensee et al., Nature Methods 18, 2021). NaN and infinity count in neither.
    Of large scans it takes every k-th voxel along the last two axes, no more than MOST_VOXELS in all.

    `voxels` (..., rows, columns) may be anything that reads as an array when sliced. Raises InputError where the
    foreground is flat, or the window's ends fall on one intensity.
    """
    if intensity == "window":
        return window
    sample = _sample(voxels)
    foreground = sample[sample > sample.min()] if sample.size else sample
    if not foreground.size or foreground.min() == foreground.max():
        raise InputError(
            f"it has {np.unique(sample).size} intensities, expected at least 3 for {intensity}: a background and a "
            "foreground that varies"
        )
    if intensity == "percentile":
        low, high = np.percentile(foreground, window)
    else:
        low, high = foreground.mean() + np.array(window) * foreground.std()
    if low == high or not np.isfinite([low, high]).all():
        raise InputError(
            f"the {intensity} window {list(window)} of its foreground is {low:g} to {high:g}, expected ends that differ"
        )
    return float(low), float(high)


def _sample(voxels: np.ndarray) -> np.ndarray:
    """Voxels (N,) float64 that are numbers, evenly spread over the scan."""
    *others, rows, columns = voxels.shape
    step = 1
    while math.prod(others) * -(-rows // step) * -(-columns // step) > MOST_VOXELS and step < max(
        rows, columns
    ):
        step += 1
    sample = np.asarray(voxels[..., ::step, ::step], dtype=np.float64)
    return sample[np.isfinite(sample)]
