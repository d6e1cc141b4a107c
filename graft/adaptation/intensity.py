"""Intensities of a site's patches, mapped to those that a model was validated on."""

from collections.abc import Mapping, Sequence

import numpy as np

from graft.grids.intensity_map import IntensityMap

STRENGTH = 10.0  # lesions: with as many, the map goes half of the way
STEP = 0.02  # of scale and shift: finer ones would fit the lesions that happen to be there
NAMES = ("intensity_mean", "intensity_sd")
SCALES = (0.25, 4.0)


def fit_intensity(
    measured: Mapping[str, np.ndarray], reference: Mapping[str, Sequence[float]]
) -> IntensityMap | None:
    """Fit a map of the site's medians, of the patches' means and deviations, to the reference.

    With n lesions, it goes the share n / (n + STRENGTH) of the way, for the logarithm of the scale
    and for the mean. None if this is no map at all, or if the model keeps no reference.

    Args:
        measured: (N,) each of NAMES, of the site.
        reference: values of validation cases by the same names.
    """
    if not all(reference.get(name) for name in NAMES):
        return None
    count = len(measured[NAMES[0]])
    way = count / (count + STRENGTH)
    mean, deviation = (float(np.median(measured[name])) for name in NAMES)
    wanted_mean, wanted_deviation = (float(np.median(reference[name])) for name in NAMES)
    if deviation <= 0 or wanted_deviation <= 0:
        return None
    scale = rounded(np.clip((wanted_deviation / deviation) ** way, *SCALES))
    shift = rounded(mean + way * (wanted_mean - mean) - scale * mean)
    return None if (scale, shift) == (1.0, 0.0) else IntensityMap(scale, shift)


def rounded(value: float) -> float:
    """A multiple of STEP."""
    return round(round(float(value) / STEP) * STEP, 2) + 0.0
