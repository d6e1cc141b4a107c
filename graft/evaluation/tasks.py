"""How well the source's network predicts each of its tasks, and what the other tasks add.

The network that was trained on all tasks is compared with one that was trained on a single task,
on the same lesions and the same draws of patients.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.common.vocabulary import TESTS
from graft.data.image_rows import ImageRows
from graft.data.tasks import fit_tasks
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.evaluation.parts import by_test_part
from graft.evaluation.task_cases import SCORES, TaskCases
from graft.leakage.rows import CheckRow, counted, passed_check
from graft.multitask.saved import MAIN, TaskModel, folders_of_tasks, load_tasks
from graft.statistics.cases import estimates, gain
from graft.statistics.formatting import format_estimate

Predictions = Mapping[str, Mapping[str, np.ndarray]]  # by part and task


def score_tasks(
    source: EvaluatedDomain,
    folder: Path,
    resamples: int,
    confidence: float,
    seed: int,
    device: torch.device,
) -> dict | None:
    """Score every task of the pretrained network on the test parts of the source.

    Args:
        source: the domain that it was trained on.
        folder: of the network. Those that were trained on a single task are below it, if any.
        resamples: of the patients.
        confidence: of the intervals.
        seed: of the draws.
        device: where networks predict.

    Returns:
        The block `tasks` of metrics.json; None if the network was not trained on several tasks.
    """
    model = load_tasks(folder, device)
    if model is None:
        return None
    domain = source.domain
    together = _predict(model, source)
    main = {"name": MAIN, "kind": "category", "categories": domain.classes}
    columns = {column["name"]: column for column in (main, *model.network.columns)}
    rows = []
    for name, place in folders_of_tasks(folder, [name for name in columns if name != MAIN]):
        twin = load_tasks(place, device) if place.exists() else None
        alone = _predict(twin, source) if twin else {}

        def entry(part: str, name: str = name, alone: Predictions = alone) -> dict:
            random = generator(seed, "bootstrap", domain.name, part, "task", name)
            cases = TaskCases.of(source, part, columns[name], resamples, random)
            return _entry(cases, together[part], alone.get(part), domain.patients_known, confidence)

        kind = columns[name]["kind"]
        about = {"name": name, "kind": kind, "score": SCORES[kind]}
        rows.append(about | by_test_part(source.rows, entry))
    return {"weighting": model.card["tasks"]["weighting"], "rows": rows}


def check_task_columns(source: EvaluatedDomain, folder: Path) -> list[CheckRow]:
    """Check that the encoding of each task follows from the training part alone.

    Returns:
        A row; none if the network was not trained on several tasks.

    Raises:
        InputError: if it does not.
    """
    model = load_tasks(folder)
    if model is None:
        return []
    domain = source.domain
    assert domain.tasks is not None, "the network was trained on them"
    training = domain.tasks.iloc[source.rows["train"]]
    if fit_tasks(training, domain.task_kinds, domain.name) != model.network.columns:
        raise InputError(
            f"{folder / 'card.json'}: has tasks that do not follow from the part train of "
            f"{domain.name}, expected means, levels and categories of that part alone"
        )
    tasks = counted(len(model.network.columns), "task")
    found = f"{tasks}, encoded by the training part alone"
    return [passed_check("task encoding", domain.name, "pretrained", found)]


def task_lines(metrics: dict) -> Iterator[str]:
    """Yield a line per task and test part: its score, and the gain over training on it alone."""
    block = metrics["tasks"]
    if not block:
        return
    yield (
        f"{metrics['source']['name']}: the tasks of the pretrained network, their losses weighted "
        f"by {block['weighting']}, and the gain over a network trained on each task alone"
    )
    for row in block["rows"]:
        for part in TESTS:
            found = row[part]
            if found:
                line = f"  {row['name']}, {part} ({found['lesions']}): {row['score']} "
                line += format_estimate(found["together"])
                if found["gain"]:
                    line += f", gain {format_estimate(found['gain'], '+')}"
                yield line


def _predict(model: TaskModel, source: EvaluatedDomain) -> Predictions:
    """Predict all tasks of the lesions of each test part."""
    domain = source.domain
    predicted = {}
    for part in TESTS:
        if part in source.rows:
            rows = source.rows[part]
            covariates = domain.clinical(rows) if domain.kinds else None
            predicted[part] = model.predict(ImageRows(domain.images, rows), covariates)
    return predicted


def _entry(
    cases: TaskCases,
    together: Mapping[str, np.ndarray],
    alone: Mapping[str, np.ndarray] | None,
    patients_known: bool,
    confidence: float,
) -> dict:
    """The entry of one task on one test part."""
    name, score = cases.column["name"], SCORES[cases.column["kind"]]
    index = cases.cases.rows
    entry: dict = {
        "lesions": len(index),
        "patients": int(index["patient"].nunique()) if patients_known else None,
        "together": None,
        "alone": None,
        "gain": None,
        "mean_absolute_error": None,
    }
    if not len(index):
        return entry
    scored = cases.score(together[name])
    found = estimates(scored, confidence)
    entry["together"] = found[score]
    entry["mean_absolute_error"] = found.get("mean_absolute_error")
    if alone:
        reference = cases.score(alone[name])
        entry["alone"] = estimates(reference, confidence)[score]
        entry["gain"] = gain(scored, reference, confidence, score)
    return entry
