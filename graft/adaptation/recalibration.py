"""Recalibration with a few labels: each value is pulled towards the old one.

So ten labels change little, and many labels decide.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import expit, log_softmax, logit

from graft.conformal.quantiles import fit_quantile, nonconformity
from graft.statistics.calibrate import TEMPERATURES
from graft.statistics.operating_points import choose_points
from graft.statistics.scores import PROBABILITY_DECIMALS, THRESHOLD_DECIMALS

SLOPE_DEVIATION = 0.5  # of the logarithm of the slope, before any label is seen
BIAS_DEVIATION = 1.0  # of the bias of each class
STRENGTH = 20.0  # lesions of a class that an old threshold or quantile counts for
LEAST = 1e-6  # of a probability whose log-odds are averaged


def fit_slope_and_bias(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Fit softmax(slope · logits + bias) to labels: the most probable slope and bias (C,).

    A priori ln(slope) is normal about 0 with SLOPE_DEVIATION, and each bias about 0 with
    BIAS_DEVIATION. Platt (1999), Probabilistic Outputs for Support Vector Machines, with a prior.

    Args:
        logits: (N, C), the logarithms of the old calibrated probabilities.
        labels: (N,) class codes.
    """
    from scipy.optimize import minimize  # late: it takes a tenth of a second

    cases = np.arange(len(labels))
    lowest, highest = np.log(1 / np.array(TEMPERATURES[::-1]))
    truth = np.eye(logits.shape[1])[labels]

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        slope, bias = np.exp(values[0]), values[1:]
        logs = log_softmax(slope * logits + bias, axis=1)
        loss = -logs[cases, labels].sum()
        loss += (values[0] / SLOPE_DEVIATION) ** 2 / 2 + ((bias / BIAS_DEVIATION) ** 2).sum() / 2
        errors = np.exp(logs) - truth  # (N, C)
        of_slope = slope * (errors * logits).sum() + values[0] / SLOPE_DEVIATION**2
        return loss, np.append(of_slope, errors.sum(0) + bias / BIAS_DEVIATION**2)

    start = np.zeros(1 + logits.shape[1])
    bounds = [(lowest, highest)] + [(None, None)] * logits.shape[1]
    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(np.exp(found.x[0])), found.x[1:]


def pull(old: float | None, new: float | None, count: int) -> float | None:
    """A probability between an old one and one fitted to `count` lesions, by their log-odds.

    The old one counts for STRENGTH lesions. If one of them is None, it is the other one.
    """
    if old is None or new is None:
        return new if old is None else old
    share = count / (count + STRENGTH)
    ends = logit(np.clip([old, new], LEAST, 1 - LEAST))
    return float(expit(ends[0] + share * (ends[1] - ends[0])))


def refit_points(
    old: Mapping[str, float | None],
    wanted: Mapping[str, float],
    labels: np.ndarray,
    raw: np.ndarray,
) -> dict[str, float | None]:
    """Pull the thresholds of the operating points towards those of the site.

    A class of fewer lesions than 1 / (1 - rate) cannot show the rate: the old threshold remains.

    Args:
        old: by point.
        wanted: the rate of each point.
        labels: (N,) class codes.
        raw: (N, C), of networks that were not fitted to these lesions.
    """
    if set(wanted) != {"sensitivity", "specificity"}:
        return dict(old)
    chosen = choose_points(labels, raw[:, -1], (), wanted["sensitivity"], wanted["specificity"])
    found = dict(old)
    for name, code in (("sensitivity", 1), ("specificity", 0)):
        count = int((labels == code).sum())
        point = chosen[name]
        if point is not None and count * (1 - wanted[name]) >= 1 - LEAST:
            pulled = pull(old.get(name), point.threshold, count)
            found[name] = None if pulled is None else round(pulled, THRESHOLD_DECIMALS)
    return found


def refit_quantiles(
    old: Mapping[str, float | None],
    miscoverage: float,
    labels: np.ndarray,
    calibrated: np.ndarray,
) -> dict[str, float | None]:
    """Pull the conformal quantile of each class towards that of the site.

    Args:
        old: by class.
        miscoverage: α.
        labels: (N,) class codes.
        calibrated: (N, C), of networks and a calibration that were not fitted to these lesions.
    """
    scores = nonconformity(calibrated)
    found: dict[str, float | None] = {}
    for code, (name, quantile) in enumerate(old.items()):
        of_class = scores[labels == code, code]
        pulled = pull(quantile, fit_quantile(of_class, miscoverage), len(of_class))
        found[name] = None if pulled is None else round(pulled, PROBABILITY_DECIMALS)
    return found


def carry_quantiles(
    old: Mapping[str, float | None],
    before: tuple[float, Sequence[float]],
    after: tuple[float, Sequence[float]],
) -> dict[str, float | None]:
    """Convert quantiles to another calibration of the same two classes, so that no set changes.

    With more classes the quantiles remain: a calibrated probability of one class is then no
    function of another calibrated probability of it.

    Args:
        old: by class.
        before: temperature and bias (C,) that they were fitted with.
        after: the new ones.
    """
    if len(old) != 2:
        return dict(old)
    found: dict[str, float | None] = {}
    for code, (name, quantile) in enumerate(old.items()):
        if quantile is None:
            found[name] = None
            continue
        odds = logit(np.clip(1 - quantile, LEAST, 1 - LEAST))
        (old_temperature, old_bias), (temperature, bias) = before, after
        raw = (odds - (old_bias[code] - old_bias[1 - code])) * old_temperature
        kept = expit(raw / temperature + bias[code] - bias[1 - code])
        found[name] = round(float(1 - kept), PROBABILITY_DECIMALS)
    return found
