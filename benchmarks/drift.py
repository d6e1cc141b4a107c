"""How often drift is reported without a change, and how soon after one.

    dvc repro
    python -m benchmarks.drift [--sequences 200] [--window 100]

Takes the chosen model of a finished run on the phantom, and patients whom it has not seen. Each
sequence draws the reference, of as many lesions as the run has labelled, and then a night of new
scans after the other. Without a change, it counts the alarms in 100 nights. After 20 nights without
a change it changes the scans, and counts how many are scored until the first alarm. Prints tables
in Markdown. Takes about 5 minutes on one core. --workdir keeps the patients for the next call.
"""

import numpy as np

from benchmarks.drift_pool import CASE_MIX, CORRUPTIONS, SAME, SITE, Pool
from graft.common.seeds import generator
from graft.drift.compare import FEWEST, compare_scans
from graft.drift.scans import PROBABILITY, Scan
from graft.familiarity.familiar import fit
from graft.familiarity.measurements import Measurements

LESIONS = 28  # of the reference: as many as the default run has labelled
NIGHTS = 100  # without a change
A_NIGHT = 10  # scans
BEFORE = 20  # nights before a change
MOST = 40  # nights after it
MALIGNANT_ODDS = 4.0  # how much more often a patient with a malignant lesion comes, in CASE_MIX
CHANGES = (*CORRUPTIONS, SITE, CASE_MIX)
ALLOWED = 5  # alarms in 100 nights


class Sequence:
    """A draw of the reference, and the scans of the nights that follow."""

    def __init__(self, pool: Pool, number: int, lesions: int) -> None:
        """Draw the reference from the patients of the internal site; the nights have the others."""
        self._pool = pool
        self._random = generator(number, "drift sequence")
        inside = np.unique(pool.patients[~pool.is_external])
        order = self._random.permutation(inside)
        counts = np.bincount(pool.patients)[order]
        taken = int(np.searchsorted(np.cumsum(counts), lesions)) + 1
        rows = np.flatnonzero(np.isin(pool.patients, order[:taken]))[:lesions]
        same = pool.changed[SAME]
        self.familiar = fit(choose(same.measured, rows), same.probability[rows])
        self._left = np.isin(pool.patients, order[taken:])
        self._scans: dict[str, list[Scan]] = {}

    def night(self, change: str) -> list[Scan]:
        """Draw the scans of a night, one lesion of each."""
        pool = self._pool
        odds = np.where(pool.is_external if change == SITE else self._left, 1.0, 0.0)
        if change == CASE_MIX:
            odds *= np.where(pool.is_malignant, MALIGNANT_ODDS, 1.0)
        odds /= np.bincount(pool.patients)[pool.patients]  # each patient has one scan
        drawn = self._random.choice(len(odds), A_NIGHT, p=odds / odds.sum())
        scans = self._all_scans(change if change in CORRUPTIONS else SAME)
        return [scans[row] for row in drawn]

    def _all_scans(self, images: str) -> list[Scan]:
        if images not in self._scans:
            inputs = self._pool.changed[images]
            values = self.familiar.values(inputs.measured) | {PROBABILITY: inputs.probability}
            reasons = self.familiar.check(inputs.measured)
            rows = (
                dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)
            )
            self._scans[images] = [
                Scan(row, bool(why)) for row, why in zip(rows, reasons, strict=True)
            ]
        return self._scans[images]


def choose(measured: Measurements, rows: np.ndarray) -> Measurements:
    """Return some rows of measurements."""
    intensities = {name: values[rows] for name, values in measured.intensities.items()}
    assert measured.spacings is not None
    assert measured.features is not None
    return Measurements(intensities, measured.spacings[rows], measured.features[rows])


def smallest_p(sequence: Sequence, scans: list[Scan], window: int) -> dict[str, float]:
    """Return the corrected p-value of each test."""
    last = scans[-window:]
    if len(last) < FEWEST:
        return {}
    compared = compare_scans(sequence.familiar.reference, last)
    return {comparison.name: comparison.p_holm for comparison in compared}


def count_alarms(pool: Pool, lesions: int, window: int, number: int) -> list[dict[str, float]]:
    """Return the corrected p-values of each night of a sequence without a change."""
    sequence = Sequence(pool, number, lesions)
    scans: list[Scan] = []
    nights = []
    for _ in range(NIGHTS):
        scans += sequence.night(SAME)
        nights.append(smallest_p(sequence, scans, window))
    return nights


def scans_until_alarm(
    pool: Pool, lesions: int, window: int, change: str, level: float, number: int
) -> int | None:
    """Return how many changed scans a sequence has until the alarm, or None without one."""
    sequence = Sequence(pool, number, lesions)
    scans: list[Scan] = []
    for _ in range(BEFORE):
        scans += sequence.night(SAME)
    for night in range(1, MOST + 1):
        scans += sequence.night(change)
        if min(smallest_p(sequence, scans, window).values()) <= level:
            return night * A_NIGHT
    return None
