"""The true values of what a finished run on the phantom estimates, and which intervals have them.

    dvc repro
    python -m benchmarks.truth

Generates patients whom the run has not seen, from another seed, and evaluates the run's models on
them, unchanged. Then it trains the arms of the learning curve again: with the labelled patients of
the run from other seeds, which is what the intervals of the curve are about, and with all labels
of other patients. Prints a table in Markdown. Takes about 7 minutes on two cores. --workdir keeps
the patients and the trainings, so a second call is fast.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.clone import ROOT
from benchmarks.comparison import Comparison, report
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.unseen import Curves, only_cases, read_run, unseen_folder
from graft.common.files import read_json, whole_file, write_json
from graft.common.parallel import run_parallel
from graft.common.seeds import derive, generator
from graft.common.vocabulary import REFERENCE
from graft.console import run, say
from graft.data.domain import Domain
from graft.data.split import read_split
from graft.evaluation.baselines import size_alone
from graft.evaluation.entries import SIZE
from graft.networks.saved import load_model
from graft.repeated_evaluation.curve_points import Point
from graft.repeated_evaluation.learning_curve import judge_points, repeated_areas
from graft.statistics.cases import Cases
from graft.statistics.formatting import format_estimate
from stages import paths
from stages.evaluate import MODELS

RESAMPLES = 1000  # of the unseen patients, for the intervals of the true values
IS_EXTERNAL = {"test": False, "external": True}  # whether a part has the external site


@dataclass(frozen=True)
class Row:
    """An estimate of a run beside the true value; both have `value`, `low` and `high`."""

    what: str
    part: str
    estimate: Mapping[str, float]
    truth: Mapping[str, float]
    sign: str = ""

    @property
    def is_inside(self) -> bool:
        """Whether the interval of the estimate has the true value."""
        return self.estimate["low"] <= self.truth["value"] <= self.estimate["high"]

    def line(self) -> str:
        """Return the row of the table."""
        estimate = format_estimate(self.estimate, self.sign)
        truth = format_estimate(self.truth, self.sign)
        answer = "yes" if self.is_inside else "no"
        return markdown_row(self.what, self.part, estimate, truth, answer)


def main(
    of: Annotated[
        Path, typer.Option("--run", help="The folder of a finished run on the phantom.")
    ] = ROOT,
    patients: Annotated[int, typer.Option(min=1000, help="How many unseen patients.")] = 3000,
    trainings: Annotated[int, typer.Option(min=2, help="How many of each arm and share.")] = 10,
    workdir: Annotated[
        Path, typer.Option(help="The folder that keeps patients and trainings.")
    ] = ROOT / ".graft/truth",
    out: Annotated[Path | None, typer.Option(help="The JSON file for the rows.")] = None,
) -> None:
    """Measure the true values of a finished run's estimates on unseen patients."""
    of, workdir = of.absolute(), workdir.absolute()
    parameters = read_run(of)
    metrics = read_json(of / paths.METRICS_DOCUMENT)
    confidence = metrics["bootstrap"]["confidence"]
    folder = unseen_folder(parameters, patients, workdir)
    domain = Domain.read(folder)
    external = parameters.domains[parameters.target].split.external
    rows = model_rows(of, metrics, folder, domain, external, confidence)
    curves = Curves.prepare(of, parameters, domain, workdir / "trainings")
    cases, places = curves.cases(are_unseen=True, resamples=RESAMPLES)

    def judge(points: list[Point]) -> list[dict]:
        random = generator(0, "truth", "draws")
        strategy = parameters.finetune.strategy
        truth = judge_points(only_cases(points, places), cases, confidence, random, strategy)
        return truth["learning_curve"]["points"]

    seed = derive(parameters.seed, "truth")
    if metrics["learning_curve"]:
        truth = judge(curves.with_known_labels(trainings, seed))
        rows += curve_rows(metrics["learning_curve"]["points"], truth)
    [other] = judge(curves.with_other_labels(trainings, seed))
    for line in lines(rows, other, trainings):
        say(line)
    report_intervals(rows, confidence)
    if out:
        with whole_file(out) as partial_file:
            write_json(
                partial_file, {"rows": [asdict(row) for row in rows], "other_patients": other}
            )


def model_rows(
    of: Path, metrics: dict, folder: Path, domain: Domain, external: str | None, confidence: float
) -> list[Row]:
    """Evaluate the models of a run on the unseen patients of the sites of each part."""
    models = find_models(of, metrics)
    folders = [place for place, _ in models.values()]
    predicted = dict(zip(models, run_parallel(partial(predict, folder), folders), strict=True))
    estimates = {name: block for name, (_, block) in models.items()}
    predicted[SIZE] = predict_by_size(of, domain)
    estimates[SIZE] = metrics["baselines"][SIZE]
    rows = []
    for part, is_external in IS_EXTERNAL.items():
        here = np.flatnonzero((domain.index["site"] == external) == is_external)
        if not len(here):
            continue
        random = generator(0, "truth", part)
        cases = Cases.of(domain.index.iloc[here], domain.classes, RESAMPLES, random)
        areas = {}
        for name, probabilities in predicted.items():
            areas[name] = repeated_areas(cases, [probabilities[here]], np.ones((RESAMPLES, 1)))
            truth = areas[name].estimate(confidence)
            rows.append(Row(name, part, estimates[name][part]["auroc"], truth))
        for name, gains in metrics["transfer_gain"].items():
            truth = (areas[name] - areas[REFERENCE]).estimate(confidence)
            rows.append(Row(f"gain of {name}", part, gains[part], truth, "+"))
    return rows


def find_models(of: Path, metrics: dict) -> dict[str, tuple[Path, dict]]:
    """Return the folder of each model that a run saved and evaluated, and its estimates by part."""
    found = {}
    for name, block in metrics["models"].items():
        found[name] = (of / MODELS[name], block)
    if deep := metrics["ensembles"]["deep"]:
        found["deep"] = (of / paths.DEEP, deep)
    return found


def predict(folder: Path, model: Path) -> np.ndarray:
    """Predict all images of a processed domain by a saved model: (N, classes)."""
    return load_model(model).predict(Domain.read(folder).images)


def predict_by_size(of: Path, domain: Domain) -> np.ndarray:
    """Predict all lesions of a domain by their size, fitted to a run's labels: (N, classes)."""
    known = Domain.read(of / paths.processed(domain.name))
    train = read_split(of / paths.split(domain.name), known.index)["train"]
    labels = known.index["label"].map(known.classes.index).to_numpy()
    sizes = known.index["size"].to_numpy(float)
    unseen = domain.index["size"].to_numpy(float)
    return size_alone(sizes[train], labels[train], unseen, len(known.classes))


def curve_rows(estimated: list[dict], truth: list[dict]) -> list[Row]:
    """Pair the points of a run's learning curve with those of more trainings."""
    rows = []
    for point, true_point in zip(estimated, truth, strict=True):
        labels = f"{point['share']:.0%} of the labels"
        for arm, found in point["arms"].items():
            true_auroc = true_point["arms"][arm]["auroc"]
            rows.append(Row(f"{arm}, {labels}", "test", found["auroc"], true_auroc))
        for arm, gain in point["gain"].items():
            what = f"gain of {arm}, {labels}"
            rows.append(Row(what, "test", gain, true_point["gain"][arm], "+"))
    return rows


def lines(rows: list[Row], other: Mapping, trainings: int) -> Iterator[str]:
    """Yield the table, and the gains with the labels of other patients."""
    yield from markdown_head("what", "part", "estimate", "true value", "inside")
    for row in rows:
        yield row.line()
    yield ""
    for arm, gain in other["gain"].items():
        yield (
            f"gain of {arm} with all labels of other patients, mean of {trainings} draws: "
            f"{format_estimate(gain, '+')}, standard deviation {gain['draw_sd']:.3f}"
        )


def report_intervals(rows: list[Row], confidence: float) -> None:
    """Report how many of the intervals have the true value."""
    inside = sum(row.is_inside for row in rows)
    report(
        Comparison(
            what="intervals of the default run with the true value",
            unit="%",
            graft=100 * inside / len(rows),
            peer="their confidence level",
            of_peer=100 * confidence,
            more_is_better=True,
            note=f"{inside} of {len(rows)}, which are of the same patients and not independent",
        )
    )


if __name__ == "__main__":
    run(main)
