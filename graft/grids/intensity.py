"""Windows for intensities without a unit, as in MR and ultrasound, by the foreground of a scan."""

import math

import numpy as np

from graft.common.files import InputError
from graft.grids.volume import Voxels

MAX_VOXELS = 1 << 22  # of one scan that are looked at


def raw_window(window: tuple[float, float], intensity: str, voxels: Voxels) -> tuple[float, float]:
    """Convert a window to the raw intensities of a scan that become 0 and 1.

    With percentiles or z-scores, a positive gain and an offset of the scan cancel out.

    The foreground is the voxels above the scan's minimum. If the background was set to 0, these
    are the voxels over which nnU-Net normalises MR (Isensee et al., Nature Methods 18, 2021). NaN
    and infinity are in neither. Of a large scan, every k-th voxel along the last two axes is used,
    at most MAX_VOXELS in all.

    Args:
        window: Two ends in the unit that `intensity` names.
        intensity: `window` for raw intensities, `percentile` for percentiles of the foreground,
            `zscore` for standard deviations from its mean.
        voxels: (..., rows, columns).

    Raises:
        InputError: If the foreground is flat, or if float32 has no number for the distance of both
            ends of the window. A scan divided by it would become NaN.
    """
    if intensity == "window":
        _check_distance(window, f"the window {list(window)}")
        return window
    sample = _sample(voxels)
    foreground = sample[sample > sample.min()] if sample.size else sample
    if not foreground.size or foreground.min() == foreground.max():
        raise InputError(
            f"it has {np.unique(sample).size} intensities, expected at least 3 for {intensity}: "
            "a background, and a foreground that varies"
        )
    if intensity == "percentile":
        low, high = np.percentile(foreground, window)
    else:
        with np.errstate(over="ignore"):
            low, high = foreground.mean() + np.array(window) * foreground.std()
    ends = (float(low), float(high))
    _check_distance(
        ends, f"the {intensity} window {list(window)} of its foreground is {low:g} to {high:g}"
    )
    return ends


def _check_distance(ends: tuple[float, float], described: str) -> None:
    low, high = ends
    with np.errstate(over="ignore"):
        distance = np.float32(high - low)
    if distance == 0 or not np.isfinite(distance):
        raise InputError(
            f"{described}, which is {distance:g} wide, expected ends that differ by a number of "
            "float32"
        )


def _sample(voxels: Voxels) -> np.ndarray:
    """The finite voxels (N,) float64 of a scan, or an even selection of them."""
    *others, rows, columns = voxels.shape
    planes = math.prod(others)
    step = 1
    while step < max(rows, columns):
        kept_rows = math.ceil(rows / step)
        kept_columns = math.ceil(columns / step)
        if planes * kept_rows * kept_columns <= MAX_VOXELS:
            break
        step += 1
    sample = np.asarray(voxels[..., ::step, ::step], dtype=np.float64)
    return sample[np.isfinite(sample)]
