"""How often drift is reported without a change, and how soon after one.

    dvc repro
    python -m benchmarks.drift [--sequences 200] [--window 100]

Takes the chosen model of a finished run on the phantom, and patients whom it has not seen. Each
sequence draws the reference, of as many lesions as the run has labelled, and then a night of new
scans after the other. Without a change, it counts the alarms in 100 nights. After 20 nights without
a change it changes the scans, and counts how many are scored until the first alarm. Prints tables
in Markdown. Takes about six minutes on one core, which is an estimate. --workdir keeps the patients
for the next call.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.stats import binomtest

from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.drift_pool import CASE_MIX, CORRUPTIONS, SAME, SITE, Pool, read_pool
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.parallel import run_parallel
from graft.common.seeds import generator
from graft.console import run, say
from graft.drift.compare import LEVEL, compare_scans
from graft.drift.scans import PROBABILITY, Scan
from graft.drift.window import FEWEST, WINDOW
from graft.familiarity.fit import fit_familiar
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
        chosen = choose(same.measured, rows)
        patients, probability = pool.patients[rows], same.probability[rows]
        self.familiar = fit_familiar(chosen, tuple(rows.tolist()), patients, probability)
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


def smallest_p(sequence: Sequence, scans: list[Scan], window: int) -> float:
    """Return the smallest of the corrected p-values; 1 as long as there are too few scans."""
    last = scans[-window:]
    if len(last) < FEWEST:
        return 1.0
    compared = compare_scans(sequence.familiar.reference, last)
    return min(comparison.p_holm for comparison in compared)


def quiet_nights(workdir: Path, lesions: int, window: int, number: int) -> list[float]:
    """Return the smallest p-value of each night of a sequence without a change."""
    sequence = Sequence(read_pool(ROOT, workdir), number, lesions)
    scans: list[Scan] = []
    nights = []
    for _ in range(NIGHTS):
        scans += sequence.night(SAME)
        nights.append(smallest_p(sequence, scans, window))
    return nights


def scans_until_alarm(
    workdir: Path, lesions: int, window: int, change: str, level: float, number: int
) -> int | None:
    """Return how many changed scans a sequence has until the alarm, or None without one."""
    sequence = Sequence(read_pool(ROOT, workdir), number, lesions)
    scans: list[Scan] = []
    for _ in range(BEFORE):
        scans += sequence.night(SAME)
    for night in range(1, MOST + 1):
        scans += sequence.night(change)
        if smallest_p(sequence, scans, window) <= level:
            return night * A_NIGHT
    return None


@dataclass(frozen=True)
class Delay:
    """After how many changed scans the alarm came, for each sequence; None if it did not come."""

    change: str
    scans: list[int | None]

    def within(self, scans: int) -> int:
        """Return in how many sequences the alarm came within so many scans."""
        return sum(found is not None and found <= scans for found in self.scans)

    def quantile(self, share: float) -> str:
        """Return within how many scans the alarm comes in a share of the sequences."""
        limits = [float("inf") if found is None else float(found) for found in self.scans]
        found = float(np.quantile(limits, share, method="higher"))
        return f"{found:g}" if np.isfinite(found) else f"more than {MOST * A_NIGHT}"


def main(
    sequences: Annotated[int, typer.Option(help="How many sequences are drawn.")] = 200,
    lesions: Annotated[int, typer.Option(help="How many lesions the reference has.")] = LESIONS,
    window: Annotated[int, typer.Option(help="How many of the last scans are tested.")] = WINDOW,
    level: Annotated[float, typer.Option(help="Of all tests of a night together.")] = LEVEL,
    workdir: Annotated[
        Path, typer.Option(help="The folder that keeps the patients for the next call.")
    ] = ROOT / ".graft/benchmarks/drift",
) -> None:
    """Count alarms without a change, and scans until the alarm after one."""
    workdir.mkdir(parents=True, exist_ok=True)
    read_pool(ROOT, workdir)
    quiet = run_parallel(partial(quiet_nights, workdir, lesions, window), range(sequences))
    alarms = np.array(quiet) <= level  # (S, NIGHTS)
    say(f"reference of {lesions} lesions, window of {window} scans, level {level:g}")
    say(describe_alarms(alarms))
    for line in markdown_head("change", "half", "90 %", "within 50 scans", "within 100 scans"):
        say(line)
    for change in CHANGES:
        count = partial(scans_until_alarm, workdir, lesions, window, change, level)
        say(delay_row(Delay(change, run_parallel(count, range(sequences // 2)))))
    what = f"alarms in {NIGHTS} nights without a change"
    mean = float(alarms.sum(1).mean())
    report(Comparison(what, "alarms", mean, "", None, bound=ALLOWED))


def describe_alarms(alarms: np.ndarray) -> str:
    """Say how many alarms there are without a change.

    Args:
        alarms: (S, NIGHTS) of S sequences.
    """
    counts = alarms.sum(1)
    random = generator(0, "drift interval")
    means = random.choice(counts, (2000, len(counts))).mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    many = int((counts > ALLOWED).sum())
    return (
        f"without a change: {counts.mean():.2f} alarms in {NIGHTS} nights [{low:.2f}, {high:.2f}]; "
        f"more than {ALLOWED} in {share_of(many, len(counts))} of the sequences"
    )


def delay_row(delay: Delay) -> str:
    """Return a row of the table."""
    total = len(delay.scans)
    shares = [share_of(delay.within(scans), total) for scans in (50, 100)]
    return markdown_row(delay.change, delay.quantile(0.5), delay.quantile(0.9), *shares)


def share_of(count: int, total: int) -> str:
    """Return a share in per cent with its exact 95 % interval (Clopper and Pearson)."""
    interval = binomtest(count, total).proportion_ci()
    return f"{count / total:.0%} [{interval.low:.0%}, {interval.high:.0%}]"


if __name__ == "__main__":
    run(main)
