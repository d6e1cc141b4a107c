"""How the cost of a stage grows with the number of lesions: cost = start-up + a·n^b."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

EXPONENTS = (0.1, 3.0)  # the range in which b is sought
TOLERANCE = 0.01  # at the ends of that range


@dataclass(frozen=True)
class Growth:
    """The fitted curve: `startup` + `factor` · n^`exponent`."""

    startup: float
    factor: float
    exponent: float

    def cost(self, numbers: np.ndarray) -> np.ndarray:
        """Return the costs of numbers of lesions (N,)."""
        return self.startup + self.factor * numbers**self.exponent

    def scaled(self, factor: float) -> "Growth":
        """Return the curve of the costs times a factor, as in another unit."""
        return Growth(self.startup * factor, self.factor * factor, self.exponent)


def fit_growth(numbers: Sequence[float], costs: Sequence[float], noise: float) -> Growth | None:
    """Fit cost = c + a·n^b, where c is the cost of starting, importing and loading.

    The smallest cohort gives c: its cost is c + a·n₀^b, so the others cost a·(n^b − n₀^b) more than
    it. a and b minimise the squared error of the logarithm of that difference. Least squares of the
    costs themselves would fit the largest cohort alone.

    Args:
        numbers: of lesions, in rising order.
        costs: of each, in any unit.
        noise: the difference from the cost of the smallest cohort that chance may make. Smaller
            differences are left out.

    Returns:
        The curve, or None if fewer than two cohorts cost noticeably more than the smallest, or if
        no exponent within EXPONENTS fits.
    """
    smallest = numbers[0]
    more = np.asarray(costs[1:], float) - costs[0]
    is_clear = more > noise
    if is_clear.sum() < 2:
        return None
    larger = np.asarray(numbers[1:], float)[is_clear]
    wanted = np.log(more[is_clear])

    def residuals(exponent: float) -> tuple[np.ndarray, float]:
        shape = np.log(larger**exponent - smallest**exponent)
        log_factor = float((wanted - shape).mean())
        return wanted - shape - log_factor, log_factor

    def squared_error(exponent: float) -> float:
        return float((residuals(exponent)[0] ** 2).sum())

    exponent = float(minimize_scalar(squared_error, bounds=EXPONENTS, method="bounded").x)
    if min(exponent - EXPONENTS[0], EXPONENTS[1] - exponent) < TOLERANCE:
        return None
    factor = math.exp(residuals(exponent)[1])
    return Growth(costs[0] - factor * smallest**exponent, factor, exponent)
