"""What a test part can show: the gain that it detects, the patients that a gain needs."""

import math
from collections.abc import Mapping

from scipy.special import ndtri

POWER = 0.8  # probability that a gain of the detectable size is shown to differ from 0
MOST_PATIENTS = 100_000  # a gain that needs more is negligible


def detectable_gain(low: float, high: float, confidence: float) -> float:
    """Compute the smallest true gain that an interval of this width excludes 0 for.

    The standard error is half the interval's width over z(confidence). A gain of
    (z(confidence) + z(POWER)) standard errors is detected with the probability POWER.

    Args:
        low: end of the interval of a gain.
        high: the other end.
        confidence: of the interval.
    """
    z = ndtri((1 + confidence) / 2)
    return float((1 + ndtri(POWER) / z) * (high - low) / 2)


def patients_needed(found: Mapping[str, float], patients: int, confidence: float) -> int | None:
    """Compute how many patients detect a gain of the observed size with the probability POWER.

    The standard error falls with the square root of the patients, so the number is
    patients · (detectable gain / gain)², rounded up.

    Args:
        found: value, low and high of a gain.
        patients: of the part that the gain was measured on.
        confidence: of the interval.

    Returns:
        The number; None if the interval excludes 0 or is not defined, or if the number is above
        MOST_PATIENTS.
    """
    value = found["value"]
    low = found["low"]
    high = found["high"]
    if not low <= 0 <= high:  # NaN too
        return None
    detectable = detectable_gain(low, high, confidence)
    most = math.sqrt(MOST_PATIENTS / patients)
    if abs(value) * most <= detectable:
        return None
    return math.ceil(patients * (detectable / value) ** 2)
