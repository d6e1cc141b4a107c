"""Do the intervals, p-values and verdicts keep what they promise? On cohorts whose truth is known.

    python -m benchmarks.simulations [--cohorts 500] [--patients 41 120] [--out simulations.json]

Draws cohorts of the phantom's patients, lets models of a known AUROC read them, and judges these with graft.statistics.cases,
graft.statistics.compare and graft.statistics.verdict, as `evaluate` does. Counts how often an interval held the truth, what the p-values do
where nothing is gained, and which verdicts fall. Prints tables in Markdown. Takes about 5 minutes on one core.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import ndtri

from benchmarks.cohorts import Cohort, draw_cohort
from graft.common.files import write_json
from graft.common.seeds import generator
from graft.common.vocabulary import REFERENCE
from graft.console import run, say
from graft.statistics.bootstrap import interval
from graft.statistics.cases import Assessment, Cases, ResampledScores, score_model
from graft.statistics.compare import compare
from graft.statistics.correction import PERCENTILE, bca_correction
from graft.statistics.delong import placements, standard_error
from graft.statistics.scores import HEADLINE, score
from graft.statistics.verdict import verdict

RESAMPLES, CONFIDENCE, MARGIN, THRESHOLD = 2000, 0.95, 0.05, 0.5
EQUALS = {REFERENCE: 0.70, "transfer": 0.70, "regularized": 0.70, "bagging": 0.70, "boosting": 0.70}
PLANTED = {"better": 0.85, "worse": 0.55, "best": 0.92}
VERDICTS = ("helps", "no difference shown", "harms")
TRUTH_PATIENTS = 100_000  # of the one cohort that scores without a formula are taken from


def main(*words: str) -> None:
    arguments = parse(words)
    truth = true_scores()
    found = {}
    for patients in arguments.patients:
        found[patients] = simulate(patients, arguments.cohorts, truth)
        for line in tell(patients, arguments.cohorts, found[patients]):
            say(line)
    if arguments.out:
        write_json(arguments.out, found)


def parse(words: tuple[str, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.simulations", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--cohorts", type=int, default=500)
    parser.add_argument("--patients", type=int, nargs="+", default=[41, 120])
    parser.add_argument("--out", type=Path)
    return parser.parse_args(words)


def true_scores() -> dict[str, float]:
    """The scores of the model "better" over very many patients."""
    random = generator(0, "truth")
    cohort = draw_cohort(TRUTH_PATIENTS, random)
    cases, probabilities = cohort.cases(0, random), cohort.read(PLANTED["better"], random)
    values = score(cases.labels, probabilities, np.ones((1, len(cases.labels))), THRESHOLD)
    return {name: float(values[name][0]) for name in HEADLINE}


def simulate(patients: int, cohorts: int, truth: dict[str, float]) -> dict[str, list[dict]]:
    """What was seen over the cohorts: the rows of each table."""
    held, p_values, verdicts = defaultdict(list), defaultdict(list), defaultdict(list)
    for number in range(cohorts):
        random = generator(number, "simulation", str(patients))
        cohort = draw_cohort(patients, random)
        cases = {"test": cohort.cases(RESAMPLES, random)}
        models = {
            name: assess(cohort, cases["test"], auroc, random)
            for name, auroc in (EQUALS | PLANTED).items()
        }
        for name, auroc in {REFERENCE: EQUALS[REFERENCE], **PLANTED}.items():
            for what, way, low, high in score_intervals(cases["test"], models[name]):
                true = auroc if what == "auroc" else truth[what]
                if what == "auroc" or name == "better":
                    held[what, round(true, 3), way].append((low > true, high < true))
        said = {"equals": gains(cases, {name: models[name] for name in EQUALS})}
        said |= {
            name: gains(cases, {REFERENCE: models[REFERENCE], name: models[name]})
            for name in PLANTED
        }
        for key in ("p", "p_holm"):
            least = min(one[key] for one in said["equals"].values())
            verdicts[f"of four equals, any {key} below 0.05"].append(least < 1 - CONFIDENCE)
        for name, auroc in {"transfer": EQUALS["transfer"], **PLANTED}.items():
            true, one = (
                round(auroc - EQUALS[REFERENCE], 2),
                said["equals" if name == "transfer" else name][name],
            )
            pair = (models[side].parts["test"] for side in (name, REFERENCE))
            for way, (low, high) in gain_intervals(one, *pair).items():
                held["gain", true, way].append((low > true, high < true))
            for way, told in (("BCa, widened", one), ("DeLong", one["delong"])):
                verdicts[true, way].append(verdict(told))
        p_values["BCa, widened"].append(said["equals"]["transfer"]["p"])
        p_values["DeLong"].append(said["equals"]["transfer"]["delong"]["p"])
    return {
        "coverage": [coverage(*key, seen) for key, seen in held.items()],
        "p_values": [uniform(way, np.array(seen)) for way, seen in p_values.items()],
        "verdicts": [
            shares(*key, seen) for key, seen in verdicts.items() if isinstance(key, tuple)
        ],
        "wrong": [
            {"what": key, "share": float(np.mean(seen))}
            for key, seen in verdicts.items()
            if isinstance(key, str)
        ],
    }


def assess(cohort: Cohort, cases: Cases, auroc: float, random: np.random.Generator) -> Assessment:
    """A model of this AUROC on the cohort."""
    probabilities = cohort.read(auroc, random)
    return Assessment(
        THRESHOLD,
        (),
        {"test": probabilities},
        {"test": score_model(cases, probabilities, THRESHOLD)},
    )


def gains(cases: dict[str, Cases], models: dict[str, Assessment]) -> dict[str, dict]:
    """The gain of each model over the reference, as metrics.json has it."""
    found = compare(cases, models, REFERENCE, ("test",), CONFIDENCE, MARGIN)
    return {name: parts["test"] for name, parts in found.items()}


def resampled_intervals(
    value: float, resampled: np.ndarray, jackknifed: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Way -> low and high of a score, or of a difference of two."""
    bends = {
        "percentile": PERCENTILE,
        "BCa": bca_correction(value, resampled, jackknifed),
        "BCa, widened": bca_correction(value, resampled, jackknifed, widen=True),
    }
    return {way: interval(resampled, CONFIDENCE, bent)[:2] for way, bent in bends.items()}


def score_intervals(cases: Cases, model: Assessment) -> Iterator[tuple[str, str, float, float]]:
    """Name, way, low and high of every score."""
    judged, positive = model.parts["test"], cases.labels == 1
    for name, value in judged.point.items():
        for way, ends in resampled_intervals(
            value, judged.resampled[name], judged.jackknifed[name]
        ).items():
            yield name, way, *ends
    placed = placements(positive, model.probabilities["test"][:, 1])
    half = ndtri((1 + CONFIDENCE) / 2) * standard_error(positive, placed, cases.patient)
    yield "auroc", "DeLong", judged.point["auroc"] - half, judged.point["auroc"] + half


def gain_intervals(
    found: dict, model: ResampledScores, reference: ResampledScores
) -> dict[str, tuple[float, float]]:
    """Way -> low and high of a gain, which stands in metrics.json as `found`."""
    value, resampled, jackknifed = (
        one["auroc"] - other["auroc"]
        for one, other in (
            (model.point, reference.point),
            (model.resampled, reference.resampled),
            (model.jackknifed, reference.jackknifed),
        )
    )
    told = {"BCa, widened": found, "DeLong": found["delong"]}
    ways = resampled_intervals(value, resampled, jackknifed)
    return ways | {way: (said["low"], said["high"]) for way, said in told.items()}


def coverage(what: str, true: float, way: str, missed: list[tuple[bool, bool]]) -> dict:
    """A row: the share of cohorts whose interval held the truth, lay above it, and lay below."""
    above, below = np.mean(missed, axis=0)
    held = 1 - above - below
    return {
        "what": what,
        "true": true,
        "way": way,
        "held": float(held),
        "above": float(above),
        "below": float(below),
    }


def uniform(way: str, p: np.ndarray) -> dict:
    """A row: p-values where nothing is gained against the uniform distribution."""
    return {
        "way": way,
        "below_0.05": float((p < 0.05).mean()),
        "ks_p": float(stats.kstest(p, "uniform").pvalue),
    }


def shares(true: float, way: str, said: list[str]) -> dict:
    """A row: how often each verdict fell."""
    return {"true": true, "way": way, **{name: said.count(name) / len(said) for name in VERDICTS}}


def tell(patients: int, cohorts: int, found: dict[str, list[dict]]) -> Iterator[str]:
    """The tables of one size, in Markdown."""
    yield f"{cohorts} cohorts of {patients} patients; 95 % intervals"
    for title, rows in found.items():
        head = list(rows[0])
        yield f"\n{title}\n"
        yield "| " + " | ".join(head) + " |"
        yield "|" + " --- |" * len(head)
        for row in rows:
            cells = (
                f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row.values()
            )
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    run(main)
