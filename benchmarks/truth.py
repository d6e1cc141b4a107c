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
from benchmarks.markdown import markdown_head, markdown_row
from benchmarks.unseen import Curves, only_cases, read_run, unseen_folder
from graft.common.files import InputError, read_json, whole_file, write_json
from graft.common.parallel import run_parallel
from graft.common.seeds import derive, generator
from graft.common.vocabulary import REFERENCE
from graft.console import run, say
from graft.data.domain import Domain
from graft.networks.saved import load_model
from graft.repeated_evaluation.curve_points import Point
from graft.repeated_evaluation.learning_curve import judge_points, repeated_areas
from graft.statistics.cases import Cases
from graft.statistics.formatting import format_estimate
from graft.statistics.repeated_auroc import RepeatedAuroc
from stages import paths
from stages.evaluate import MODELS

RESAMPLES = 1000  # of the unseen patients, for the intervals of the true values
SIZE_ALONE = "size_alone"
IS_EXTERNAL = {"test": False, "external": True}  # whether a part has the external site


@dataclass(frozen=True)
class Row:
    """An estimate of a run beside the true value; both have `value`, `low` and `high`."""

    what: str
    part: str
    estimate: Mapping[str, float]
    truth: Mapping[str, float]
    sign: str = ""

    def cells(self) -> list[str]:
        """Return the row of the table."""
        low, high = self.estimate["low"], self.estimate["high"]
        is_inside = low <= self.truth["value"] <= high
        estimate = format_estimate(self.estimate, self.sign)
        truth = format_estimate(self.truth, self.sign)
        return [self.what, self.part, estimate, truth, "yes" if is_inside else "no"]


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
    if out:
        with whole_file(out) as partial_file:
            write_json(
                partial_file, {"rows": [asdict(row) for row in rows], "other_patients": other}
            )


def model_rows(
    of: Path, metrics: dict, folder: Path, domain: Domain, external: str | None, confidence: float
) -> list[Row]:
    """Evaluate the models of a run on the unseen patients of the sites of each part."""
    names = [name for name in metrics["models"] if name in MODELS]
    if REFERENCE not in names:
        raise InputError(f"{of}: has the models {names}, expected {REFERENCE} among them")
    models = [of / MODELS[name] for name in names]
    predicted = dict(zip(names, run_parallel(partial(predict, folder), models), strict=True))
    sizes = domain.index["size"].to_numpy()
    predicted[SIZE_ALONE] = np.stack([-sizes, sizes], axis=1)  # AUROC depends on the order alone
    rows = []
    gains = []
    for part, is_external in IS_EXTERNAL.items():
        here = np.flatnonzero((domain.index["site"] == external) == is_external)
        if not len(here):
            continue
        random = generator(0, "truth", part)
        cases = Cases.of(domain.index.iloc[here], domain.classes, RESAMPLES, random)
        once = np.ones((RESAMPLES, 1))  # one training, in every resample
        areas = {
            name: repeated_areas(cases, [of_all[here]], once) for name, of_all in predicted.items()
        }
        for name, area in areas.items():
            block = metrics["baselines"] if name == SIZE_ALONE else metrics["models"]
            estimate = block[name] and block[name][part] and block[name][part]["auroc"]
            if estimate:
                rows.append(Row(name, part, estimate, area.estimate(confidence)))
        for name, gain in metrics["transfer_gain"].items():
            if name in areas and gain[part]:
                difference: RepeatedAuroc = areas[name] - areas[REFERENCE]
                truth = difference.estimate(confidence)
                gains.append(Row(f"gain of {name}", part, gain[part], truth, "+"))
    return rows + gains


def predict(folder: Path, model: Path) -> np.ndarray:
    """Predict all images of a processed domain by a saved model: (N, classes)."""
    return load_model(model).predict(Domain.read(folder).images)


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
    """Yield the table, how many intervals have the true value, and the gains elsewhere."""
    yield from markdown_head("what", "part", "estimate", "true value", "inside the interval")
    inside = 0
    for row in rows:
        cells = row.cells()
        inside += cells[-1] == "yes"
        yield markdown_row(*cells)
    yield f"\n{inside} of {len(rows)} intervals have the true value."
    for arm, gain in other["gain"].items():
        yield (
            f"With all labels of other patients, mean of {trainings} draws: gain of {arm} "
            f"{format_estimate(gain, '+')}, standard deviation over the draws {gain['draw_sd']:.3f}"
        )


if __name__ == "__main__":
    run(main)
