"""The tests for drift: do the last scans look like draws from the reference of a model?

Both samples are small, so every test is exact: it holds for any size of reference and window.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import betabinom, ks_2samp

from graft.drift.scans import PROBABILITY, Scan
from graft.statistics.compare import holm

LEVEL = 0.005  # probability of a false alarm in a night, for all tests together: docs/drift.md
REFUSED_SHARE = 0.05  # of familiar inputs, at most
TOPICS = {
    "intensity_mean": "intensities",
    "intensity_sd": "intensities",
    "intensity_roughness": "intensities",
    "spacing_mm": "spacing",
    "feature_distance": "features",
    PROBABILITY: "class balance",
}  # what each measurement is about
REFUSED = "refused"
SMIRNOV = "two-sample Kolmogorov-Smirnov"
BETA_BINOMIAL = "beta-binomial"


@dataclass(frozen=True)
class Comparison:
    """The last scans beside the reference in one respect.

    Attributes:
        name: of the measurement, or REFUSED.
        topic: what it is about.
        test: the name of the test.
        expected: how many values the reference has, and their quartiles; or the expected share.
        found: the same of the scans.
        p: of the hypothesis that nothing has changed.
        p_holm: corrected for the number of tests.
        is_alarm: whether that is at most the level.
    """

    name: str
    topic: str
    test: str
    expected: Mapping[str, float]
    found: Mapping[str, float]
    p: float
    p_holm: float = float("nan")
    is_alarm: bool = False


def compare_scans(
    reference: Mapping[str, Sequence[float]], scans: Sequence[Scan], level: float = LEVEL
) -> list[Comparison]:
    """Compare scans with the reference of their model, by one test for each measurement.

    Args:
        reference: values by measurement, as in `Familiar.reference`.
        scans: those of the window.
        level: the probability of a false alarm in any of the tests.

    Returns:
        A comparison for each measurement that both have, and one of the refusals.
    """
    found = [_compare_refusals(reference, scans)]
    for name in TOPICS:
        values = [scan.values[name] for scan in scans if name in scan.values]
        if reference.get(name) and values:
            found.append(_compare_values(name, reference[name], values))
    corrected = holm([comparison.p for comparison in found])
    judged = []
    for comparison, p in zip(found, corrected, strict=True):
        judged.append(replace(comparison, p_holm=p, is_alarm=p <= level))
    return judged


def _compare_values(name: str, reference: Sequence[float], values: Sequence[float]) -> Comparison:
    with warnings.catch_warnings():
        # With hundreds of values in both, SciPy may have to use the limit of large samples.
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation", RuntimeWarning)
        p = float(ks_2samp(reference, values, method="exact").pvalue)
    return Comparison(name, TOPICS[name], SMIRNOV, _quartiles(reference), _quartiles(values), p)


def _compare_refusals(
    reference: Mapping[str, Sequence[float]], scans: Sequence[Scan]
) -> Comparison:
    """Compare the number of refusals with that of familiar inputs.

    At most a share q of familiar inputs is refused. The bounds come from the N lesions of the
    reference, so q is not known exactly. If the bounds were quantiles of these lesions, the share
    of new inputs beyond them would have a beta distribution with the parameters q (N + 1) and
    (1 - q) (N + 1), as follows from the order statistics, and the number of refusals among M scans
    a beta-binomial one. Bounds that are wider only make the test more cautious. Fewer refusals are
    no sign of a change.
    """
    count = max((len(values) for values in reference.values()), default=0)
    refused = sum(scan.is_refused for scan in scans)
    a, b = REFUSED_SHARE * (count + 1), (1 - REFUSED_SHARE) * (count + 1)
    p = float(betabinom.sf(refused - 1, len(scans), a, b))
    found = {"count": len(scans), "share": refused / len(scans)}
    return Comparison(
        REFUSED, "refusals", BETA_BINOMIAL, {"count": count, "share": REFUSED_SHARE}, found, p
    )


def _quartiles(values: Sequence[float]) -> dict[str, float]:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"count": len(values), "low": low, "median": median, "high": high}
