"""Intensities of a site's patches, mapped to those that a model was validated on."""

from collections.abc import Mapping, Sequence

import numpy as np

from graft.grids.intensity_map import IntensityMap

STRENGTH = 10.0  # lesions: with as many, the map goes half of the way
STEP = 0.02  # of scale and shift: finer ones would fit the lesions that happen to be there
NAMES = ("intensity_mean", "intensity_sd")
SCALES = (0.25, 4.0)
LEVEL = 0.01  # of the test whether intensities differ at all
FEWEST = 5  # patients


def fit_intensity(
    measured: Mapping[str, np.ndarray],
    patients: np.ndarray,
    reference: Mapping[str, Sequence[float]],
) -> IntensityMap | None:
    """Fit a map of the site's medians, of the patches' means and deviations, to the reference.

    With n lesions, it goes the share n / (n + STRENGTH) of the way, for the logarithm of the scale
    and for the mean. None if the intensities are not distinguishable from the reference, or if the
    model keeps none.

    Args:
        measured: (n,) each of NAMES, of the site.
        patients: (n,) numbers.
        reference: values of validation cases by the same names.
    """
    if not is_different(measured, patients, reference):
        return None
    count = len(patients)
    way = count / (count + STRENGTH)
    mean, deviation = (float(np.median(measured[name])) for name in NAMES)
    wanted_mean, wanted_deviation = (float(np.median(reference[name])) for name in NAMES)
    if deviation <= 0 or wanted_deviation <= 0:
        return None
    scale = rounded(np.clip((wanted_deviation / deviation) ** way, *SCALES))
    shift = rounded(mean + way * (wanted_mean - mean) - scale * mean)
    return None if (scale, shift) == (1.0, 0.0) else IntensityMap(scale, shift)


def is_different(
    measured: Mapping[str, np.ndarray],
    patients: np.ndarray,
    reference: Mapping[str, Sequence[float]],
) -> bool:
    """Whether the intensities of a site can be told from the reference.

    The test is that of Mann and Whitney for each of NAMES, corrected for their number (Bonferroni),
    with the mean of each patient's lesions.
    """
    from scipy.stats import mannwhitneyu  # late: it takes half a second

    numbers = np.unique(patients, return_inverse=True)[1]
    counts = np.bincount(numbers)
    if len(counts) < FEWEST or not all(len(reference.get(name, ())) for name in NAMES):
        return False
    p_values = []
    for name in NAMES:
        of_patients = np.bincount(numbers, measured[name]) / counts
        p_values.append(mannwhitneyu(of_patients, reference[name]).pvalue)
    return bool(min(p_values) * len(NAMES) < LEVEL)


def rounded(value: float) -> float:
    """A multiple of STEP."""
    return round(round(float(value) / STEP) * STEP, 2) + 0.0
