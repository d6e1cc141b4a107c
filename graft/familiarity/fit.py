"""Fit what familiar inputs look like to the inputs that validate a model."""

import numpy as np

from graft.familiarity.familiar import AXES, DECIMALS, DISTANCE, Familiar, Range, distances
from graft.familiarity.measurements import INTENSITIES, Measurements

REFERENCE = 200  # values of each measurement that are kept
SIGNIFICANT = 9  # digits of the features' statistics: the last bits depend on the machine
FOLDS = 20  # at most, in which distances are computed for inputs that they were not fitted on
# How far outside of what was measured a value is still familiar. The few labelled patients of a
# target do not show the whole range. docs/benchmarks.md has the measurement behind these.
BRIGHTER = 0.1  # of the window: the mean intensity
MORE_CONTRAST = 1.35  # times: the deviation of the intensities
ROUGHER = 1.35  # times
COARSER = 1.5  # times: the spacing
MIN_PATIENTS = 8  # of whom features are compared: a limit by fewer refuses all inputs or none
FALSE_ALARM = 0.005  # share of familiar inputs whose features are too far away


def fit_familiar(
    measured: Measurements,
    samples: tuple[int, ...],
    patients: np.ndarray,
    probability: np.ndarray | None = None,
) -> Familiar:
    """Fit ranges and distances to familiar inputs.

    Args:
        measured: N inputs. Features of fewer than MIN_PATIENTS patients are left out.
        samples: the N sample numbers.
        patients: (N,) whose inputs they are.
        probability: (N,) calibrated, of the disease, for the reference alone.
    """
    centre = precision = np.zeros(0)
    ranges = _intensity_ranges(measured) | _spacing_ranges(measured)
    if measured.features is not None and len(np.unique(patients)) >= MIN_PATIENTS:
        centre, precision = fit_features(measured.features)
        held_out = _held_out_distances(measured.features, patients)
        ranges[DISTANCE] = (0.0, prediction_limit(held_out))
    for name, (low, high) in ranges.items():
        ranges[name] = (round(float(low), DECIMALS), round(float(high), DECIMALS))
    familiar = Familiar(ranges, _rounded(centre), _rounded(precision), {}, samples)
    values = familiar.values(measured)
    if DISTANCE in ranges:
        values[DISTANCE] = held_out  # no centre is fitted on new inputs either
    if probability is not None:
        values["probability"] = probability
    familiar.reference.update({name: sample_values(found) for name, found in values.items()})
    return familiar


def _intensity_ranges(measured: Measurements) -> dict[str, Range]:
    mean, deviation, roughness = (measured.intensities[name] for name in INTENSITIES)
    return {
        "intensity_mean": (mean.min() - BRIGHTER, mean.max() + BRIGHTER),
        "intensity_sd": (deviation.min() / MORE_CONTRAST, deviation.max() * MORE_CONTRAST),
        "intensity_roughness": (roughness.min() / ROUGHER, roughness.max() * ROUGHER),
    }


def _spacing_ranges(measured: Measurements) -> dict[str, Range]:
    ranges: dict[str, Range] = {}
    if measured.spacings is None:
        return ranges
    for axis, spacings in zip(AXES, measured.spacings.T, strict=True):
        if np.isfinite(spacings).any():
            low, high = np.nanmin(spacings) / COARSER, np.nanmax(spacings) * COARSER
            ranges[f"spacing_{axis.lower()}"] = (low, high)
    return ranges


def fit_features(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (F,) and the inverse covariance (F, F) of features (N, F).

    The covariance of the standardised features is shrunk, because there are few inputs. Ledoit and
    Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices, JMVA 88.
    """
    from sklearn.covariance import ledoit_wolf  # late: it takes a second

    centre = features.mean(0)
    deviations = features.std(0)
    deviations[deviations == 0] = 1.0  # of a channel that never changes
    covariance, _ = ledoit_wolf((features - centre) / deviations)
    precision = np.linalg.pinv(covariance, hermitian=True) / np.outer(deviations, deviations)
    return centre, precision


def _held_out_distances(features: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Distances (N,) of familiar inputs from a centre that their patients have no part in."""
    from sklearn.model_selection import GroupKFold

    folds = min(FOLDS, len(np.unique(patients)))
    found = np.zeros(len(features))
    for inside, outside in GroupKFold(folds).split(features, groups=patients):
        found[outside] = distances(features[outside], *fit_features(features[inside]))
    return found


def prediction_limit(held_out: np.ndarray) -> float:
    """The distance that a share FALSE_ALARM of further inputs exceeds, by N distances.

    It is a prediction limit for logarithms that are normally distributed (Hahn and Meeker 1991,
    Statistical Intervals, chapter 4): a quantile of few distances would be their maximum.
    """
    from scipy.stats import t

    logs = np.log(np.maximum(held_out, 10.0**-DECIMALS))
    count = len(logs)
    factor = t.ppf(1 - FALSE_ALARM, count - 1) * np.sqrt(1 + 1 / count)
    return float(np.exp(logs.mean() + factor * logs.std(ddof=1)))


def sample_values(values: np.ndarray) -> list[float]:
    """At most REFERENCE of the sorted values that are known, evenly spaced by rank."""
    known = np.sort(values[np.isfinite(values)])
    if len(known) > REFERENCE:
        known = known[np.linspace(0, len(known) - 1, REFERENCE).round().astype(int)]
    return known.round(DECIMALS).tolist()


def _rounded(values: np.ndarray) -> list:
    """Numbers as nested lists, with SIGNIFICANT digits each."""
    rounded = [float(f"{value:.{SIGNIFICANT}g}") for value in values.ravel()]
    return np.array(rounded).reshape(values.shape).tolist()
