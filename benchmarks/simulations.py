"""Do intervals, p-values and verdicts keep what they promise, on cohorts whose truth is known?

    python -m benchmarks.simulations [--cohorts 500] [--patients 41 --patients 120] [--out FILE]

Draws cohorts of the phantom's patients, lets models of a known AUROC read them, and evaluates the
models by the code that `evaluate` runs. Counts how often an interval contains the truth, how the
p-values are distributed if nothing is gained, how often each verdict is given, and how often a
conformal set has the true class. Prints tables in Markdown. Takes about 6 minutes on one core.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.cohorts import SimulatedCohort, draw_cohort
from benchmarks.comparison import Comparison, report
from benchmarks.intervals import gain_intervals, score_intervals
from benchmarks.markdown import markdown_row
from benchmarks.set_coverage import ALL, MARGINAL, MISCOVERAGE, coverage_rows
from graft.common.files import write_json
from graft.common.seeds import generator
from graft.common.vocabulary import REFERENCE
from graft.console import run, say
from graft.statistics.cases import Assessment, Cases, score_model
from graft.statistics.compare import compare
from graft.statistics.scores import HEADLINE, score
from graft.statistics.verdict import verdict

RESAMPLES = 2000
CONFIDENCE = 0.95
MARGIN = 0.05
THRESHOLD = 0.5
EQUALS = {
    REFERENCE: 0.70,
    "transfer": 0.70,
    "regularized": 0.70,
    "bagging": 0.70,
    "boosting": 0.70,
}
PLANTED = {
    "better": 0.85,
    "worse": 0.55,
    "best": 0.92,
}
OF_GRAFT = (("auroc", "BCa"), ("gain", "BCa, widened"))  # the intervals that graft reports
PEERS = {"percentile": "percentiles of the resamples", "DeLong": "DeLong"}
VERDICTS = ("helps", "no difference shown", "harms")
TRUTH_PATIENTS = 100_000  # of the cohort that gives the true scores that have no formula

Gains = dict[str, dict]  # the name of a model -> its gain over the reference, as in metrics.json
Models = Mapping[str, Assessment]
Tables = dict[str, list[dict]]  # title -> rows
Missed = tuple[bool, bool]  # whether an interval lies above the truth, and whether below


@dataclass
class Counts:
    """What was seen in the cohorts so far."""

    missed: dict[tuple[str, float, str], list[Missed]] = field(
        default_factory=lambda: defaultdict(list)
    )
    p_values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    verdicts: dict[tuple[float, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    wrong: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))


def main(
    cohorts: Annotated[int, typer.Option(help="How many cohorts are drawn of each size.")] = 500,
    patients: Annotated[
        list[int] | None,
        typer.Option(help="The patients of a cohort; may be given repeatedly (default: 41, 120)."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The JSON file for every number.")] = None,
) -> None:
    """Count how often intervals contain the truth and how often each verdict is given."""
    truth = true_scores()
    found = {}
    for size in patients or [41, 120]:
        found[size] = simulate(size, cohorts, truth) | {"sets": coverage_rows(size, cohorts)}
        say(f"{cohorts} cohorts of {size} patients; 95 % intervals")
        for line in tables_in_markdown(found[size]):
            say(line)
        report_coverage(found[size], size, cohorts)
        report_sets(found[size]["sets"], size)
    if out:
        write_json(out, found)


def true_scores() -> dict[str, float]:
    """Return the scores of the model "better" over very many patients."""
    random = generator(0, "truth")
    cohort = draw_cohort(TRUTH_PATIENTS, random)
    cases = cohort.cases(0, random)
    probabilities = cohort.predict(PLANTED["better"], random)
    weights = np.ones((1, len(cases.labels)))  # of no resample
    values = score(cases.labels, probabilities, weights, THRESHOLD)
    return {name: float(values[name][0]) for name in HEADLINE}


def simulate(patients: int, cohorts: int, truth: Mapping[str, float]) -> Tables:
    """Draw cohorts of one size and return the rows of each table."""
    counts = Counts()
    for number in range(cohorts):
        random = generator(number, "simulation", str(patients))
        cohort = draw_cohort(patients, random)
        cases = cohort.cases(RESAMPLES, random)
        models = {}
        for name, auroc in (EQUALS | PLANTED).items():
            models[name] = assess_model(cohort, cases, auroc, random)
        count_scores(counts, cases, models, truth)
        count_gains(counts, cases, models)
    return tabulate(counts)


def tabulate(counts: Counts) -> Tables:
    """Return the rows of each table."""
    tables: Tables = {
        "coverage": [],
        "p_values": [],
        "verdicts": [],
        "wrong": [],
    }
    for score_key, missed in counts.missed.items():
        tables["coverage"].append(coverage_row(score_key, missed))
    for way, p_values in counts.p_values.items():
        tables["p_values"].append(p_value_row(way, np.array(p_values)))
    for gain_key, verdicts in counts.verdicts.items():
        tables["verdicts"].append(verdict_row(gain_key, verdicts))
    for what, wrong in counts.wrong.items():
        tables["wrong"].append(wrong_row(what, wrong))
    return tables


def assess_model(
    cohort: SimulatedCohort, cases: Cases, auroc: float, random: np.random.Generator
) -> Assessment:
    """Return the assessment of a model of this AUROC on the cohort."""
    probabilities = cohort.predict(auroc, random)
    scores = score_model(cases, probabilities, THRESHOLD)
    return Assessment(THRESHOLD, (), {"test": probabilities}, {"test": scores})


def count_scores(counts: Counts, cases: Cases, models: Models, truth: Mapping[str, float]) -> None:
    """Count whether the intervals of scores contain the truth."""
    for name, auroc in {REFERENCE: EQUALS[REFERENCE], **PLANTED}.items():
        for what, way, low, high in score_intervals(cases, models[name], CONFIDENCE):
            true = auroc if what == "auroc" else truth[what]
            if what == "auroc" or name == "better":
                key = (what, round(true, 3), way)
                counts.missed[key].append((low > true, high < true))


def count_gains(counts: Counts, cases: Cases, models: Models) -> None:
    """Count whether the intervals of gains contain the truth, their p-values and their verdicts."""
    equals = gains_over_reference(cases, {name: models[name] for name in EQUALS})
    for name in ("p", "p_holm"):
        least = min(gain[name] for gain in equals.values())
        what = f"of four equals, any {name} below 0.05"
        counts.wrong[what].append(least < 1 - CONFIDENCE)
    counts.p_values["BCa, widened"].append(equals["transfer"]["p"])
    counts.p_values["DeLong"].append(equals["transfer"]["delong"]["p"])

    gains = {"transfer": equals["transfer"]}
    for name in PLANTED:
        pair = {REFERENCE: models[REFERENCE], name: models[name]}
        gains[name] = gains_over_reference(cases, pair)[name]
    reference = models[REFERENCE].parts["test"]
    for name, auroc in {"transfer": EQUALS["transfer"], **PLANTED}.items():
        true = round(auroc - EQUALS[REFERENCE], 2)
        model = models[name].parts["test"]
        intervals = gain_intervals(gains[name], model, reference, CONFIDENCE)
        for way, (low, high) in intervals.items():
            key = ("gain", true, way)
            counts.missed[key].append((low > true, high < true))
        by_bootstrap = verdict(gains[name])
        by_delong = verdict(gains[name]["delong"])
        counts.verdicts[true, "BCa, widened"].append(by_bootstrap)
        counts.verdicts[true, "DeLong"].append(by_delong)


def gains_over_reference(cases: Cases, models: dict[str, Assessment]) -> Gains:
    """Return the gain of each model over the reference, as in metrics.json."""
    found = compare({"test": cases}, models, REFERENCE, ("test",), CONFIDENCE, MARGIN)
    gains = {}
    for name, parts in found.items():
        gain = parts["test"]
        assert gain is not None
        gains[name] = gain
    return gains


def coverage_row(key: tuple[str, float, str], missed: list[Missed]) -> dict:
    """Return the shares of intervals that contain the truth, lie above it and lie below it."""
    what, true, way = key
    above, below = np.mean(missed, axis=0)
    return {
        "what": what,
        "true": true,
        "way": way,
        "held": float(1 - above - below),
        "above": float(above),
        "below": float(below),
    }


def p_value_row(way: str, p_values: np.ndarray) -> dict:
    """Compare p-values of models that gain nothing with the uniform distribution."""
    from scipy import stats

    below = (p_values < 0.05).mean()
    test = stats.kstest(p_values, "uniform")
    return {
        "way": way,
        "below_0.05": float(below),
        "ks_p": float(test.pvalue),
    }


def verdict_row(key: tuple[float, str], verdicts: list[str]) -> dict:
    """Return the share of each verdict."""
    true, way = key
    row: dict = {"true": true, "way": way}
    for name in VERDICTS:
        row[name] = verdicts.count(name) / len(verdicts)
    return row


def wrong_row(what: str, seen: list[bool]) -> dict:
    """Return the share of cohorts in which something wrong was seen."""
    return {"what": what, "share": float(np.mean(seen))}


def tables_in_markdown(found: Tables) -> Iterator[str]:
    """Yield the lines of the tables of one size."""
    for title, rows in found.items():
        names = list(rows[0])
        yield f"\n{title}\n"
        yield markdown_row(*names)
        yield "|" + " --- |" * len(names)
        for row in rows:
            cells = [_format_cell(cell) for cell in row.values()]
            yield markdown_row(*cells)


def report_coverage(found: Tables, patients: int, cohorts: int) -> None:
    """Report how far the shares of intervals of AUROCs and gains with the truth are from 95 %."""
    distances = defaultdict(list)
    for row in found["coverage"]:
        if (row["what"], row["way"]) in OF_GRAFT:
            distances["graft"].append(abs(row["held"] - CONFIDENCE) * 100)
        elif row["what"] in ("auroc", "gain"):
            distances[row["way"]].append(abs(row["held"] - CONFIDENCE) * 100)
    graft = float(np.mean(distances["graft"]))
    what = f"mean distance from 95 % of intervals that contain the truth, {patients} patients"
    note = f"standard error of a share {100 * np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / cohorts):.1f}"
    for way, peer in PEERS.items():
        of_peer = float(np.mean(distances[way]))
        report(Comparison(what, "points", graft, peer, of_peer, note=note))


def report_sets(rows: list[dict], patients: int) -> None:
    """Report how far the coverage of the class that is farthest off is from 1 - α."""
    off: dict[str, float] = defaultdict(float)
    for row in rows:
        distance = abs(row["coverage"] - 1 + MISCOVERAGE) * 100
        off[row["way"]] = max(off[row["way"]], distance)
    what = f"distance from 90 % of the coverage of a class by conformal sets, {patients} patients"
    peer = "one quantile for all classes"
    report(Comparison(what, "points", off[ALL], peer, off[MARGINAL], bound=2.0))


def _format_cell(cell: object) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


if __name__ == "__main__":
    run(main)
