"""The lesions of a part whose label for a task is known, and the scores of predictions for them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.data.tasks import TaskColumn, encode_tasks
from graft.evaluation.evaluated_domain import EvaluatedDomain
from graft.multitask.saved import MAIN
from graft.statistics.bootstrap import draw_patients
from graft.statistics.cases import Cases, ResampledScores, score_cases
from graft.statistics.scores import PROBABILITY_DECIMALS, auroc, classes_to_average, ranks
from graft.statistics.task_scores import concordance, mean_absolute_error, r_squared

SCORES = {"category": "auroc", "ordinal": "concordance", "number": "r_squared"}  # the main ones


@dataclass(frozen=True)
class TaskCases:
    """K of the N lesions of a part, whose label is known.

    Attributes:
        column: the task.
        known: (N,) of bool.
        cases: K cases, whose labels are class codes, ratings or numbers.
    """

    column: TaskColumn
    known: np.ndarray
    cases: Cases

    @classmethod
    def of(
        cls,
        source: EvaluatedDomain,
        part: str,
        column: TaskColumn,
        resamples: int,
        random: np.random.Generator,
    ) -> "TaskCases":
        """Choose the lesions of a part, and draw the resamples of their patients."""
        labels = _labels(source, part, column)
        known = ~np.isnan(labels)
        index = source.domain.index.iloc[source.rows[part][known]]
        patient, patients = pd.factorize(index["patient"])
        draws = draw_patients(max(1, len(patients)), resamples, random)
        return cls(column, known, Cases(index, labels[known], patient, draws))

    def score(self, predicted: np.ndarray) -> ResampledScores:
        """Score what `TaskModel.predict` returned for the task, (N, width)."""
        outputs = self._rounded(predicted[self.known])
        labels = self.cases.labels
        kind = self.column["kind"]

        def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
            if kind == "category":
                return {"auroc": _mean_auroc(labels, outputs, weights)}
            if kind == "ordinal":
                rank = outputs.sum(1)  # the expected number of levels below the rating
                return {"concordance": concordance(labels, rank, weights)}
            return {
                "r_squared": r_squared(labels, outputs[:, 0], weights),
                "mean_absolute_error": mean_absolute_error(labels, outputs[:, 0], weights),
            }

        return score_cases(self.cases, scores)

    def _rounded(self, predicted: np.ndarray) -> np.ndarray:
        """Round predictions: numbers in standardised units, whatever their own unit is."""
        if self.column["kind"] != "number":
            return predicted.round(PROBABILITY_DECIMALS)
        mean, std = self.column["mean"], self.column["std"]
        return ((predicted - mean) / std).round(PROBABILITY_DECIMALS) * std + mean


def _labels(source: EvaluatedDomain, part: str, column: TaskColumn) -> np.ndarray:
    """The labels (N,) of a part: class codes, ratings or numbers, NaN if unknown."""
    if column["name"] == MAIN:
        return source.cases[part].labels.astype(float)
    tasks = source.domain.tasks
    assert tasks is not None, "the network was trained on them"
    labels = encode_tasks(tasks.iloc[source.rows[part]], [column])[:, 0]
    if column["kind"] == "number":
        labels = labels * column["std"] + column["mean"]
    return labels


def _mean_auroc(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """AUROC (R,), with more than two classes the mean over them of each against the rest."""
    aurocs = []
    for code in classes_to_average(probabilities.shape[1]):
        aurocs.append(auroc(*ranks(labels == code, probabilities[:, code], weights)))
    return np.mean(aurocs, axis=0)
