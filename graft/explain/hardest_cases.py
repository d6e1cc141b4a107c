"""The hardest cases of a model, with their saliency maps and regions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.common.files import REMEDY, InputError
from graft.common.vocabulary import TESTS
from graft.data.domain import Domain
from graft.data.predictions import probability_columns
from graft.explain.regions import lesion_regions
from graft.explain.saliency import METHODS, SaliencyMaps
from graft.networks.saved import Model
from graft.statistics.scores import LEAST_PROBABILITY, PROBABILITY_DECIMALS


@dataclass(frozen=True)
class ExplainedCases:
    """Some cases with their maps.

    Attributes:
        table: a row per case, from `find_hardest_cases`.
        maps: the maps of the cases by the name of the method; empty if there are no cases.
        regions: (cases, *patch) bool, or None if unknown.
        disease: the name of the last class.
    """

    table: pd.DataFrame
    maps: Mapping[str, SaliencyMaps]
    regions: np.ndarray | None
    disease: str

    def caption(self, row: int) -> str:
        """The label and the prediction of a case, and the meaning of the colours.

        It has the sample number, but nothing that identifies the patient.
        """
        case = self.table.iloc[row]
        probability = f"p({self.disease}) = {case['p']:.2f}"
        return (
            f"sample {case['sample']}, {case['part']}: "
            f"{case['label']}, called {case['predicted']}, {probability}\n"
            f"violet: for {self.disease}, orange: against"
        )


def find_hardest_cases(
    predictions: pd.DataFrame,
    model_name: str,
    classes: list[str],
    count: int,
) -> pd.DataFrame:
    """Find the cases whose true class got the lowest probability, those of the test part first.

    Args:
        predictions: the predictions of several models on the test parts.
        model_name: the model to explain.
        classes: the classes; the last is the disease.
        count: the number of cases at most. Cases of the external site follow only if the test
            part has fewer.

    Returns:
        Rows of `predictions` and the column `p`, the probability of the disease. Of equally hard
        cases the first sample comes first.

    Raises:
        InputError: if the table lacks the model or a column.
    """
    of_classes = probability_columns(classes)
    columns = ["model", "sample", "part", "label", "predicted", *of_classes]
    missing = [f"column {column}" for column in columns if column not in predictions]
    if not missing and model_name not in predictions["model"].to_numpy():
        missing = [f"row of the model {model_name}"]
    if missing:
        raise InputError(
            f"predictions.csv: has no {missing[0]}, expected the table that the evaluation writes"
        )
    mine = predictions[predictions["model"] == model_name]
    is_class = [mine["label"] == label for label in classes]
    probabilities = np.select(is_class, [mine[column] for column in of_classes])
    probabilities = np.maximum(probabilities, LEAST_PROBABILITY)
    losses = -np.log(probabilities).round(PROBABILITY_DECIMALS)
    parts = mine["part"].map(TESTS.index)
    order = np.lexsort((mine["sample"], -losses, parts))
    hardest = mine.iloc[order[:count]].reset_index(drop=True)
    return hardest.assign(p=hardest[of_classes[-1]])


def check_cases(
    predictions: pd.DataFrame,
    model_name: str,
    index: pd.DataFrame,
    parts: Mapping[str, np.ndarray],
) -> None:
    """Check that a table has the cases of a model that the domain and its split have.

    Args:
        predictions: as in `find_hardest_cases`.
        model_name: the model to explain.
        index: a row per lesion of the domain.
        parts: the rows of the index by part.

    Raises:
        InputError: if a case of a test part is missing, is there twice or has another label.
    """
    mine = predictions[predictions["model"] == model_name]
    for part in TESTS:
        found = mine[mine["part"] == part]
        rows = parts.get(part, np.array([], int))
        expected = index["label"].iloc[rows]
        labels = found["label"].to_numpy()
        if not np.array_equal(found["sample"], rows) or not np.array_equal(labels, expected):
            raise InputError(
                f"predictions.csv: {model_name} has {len(found)} cases of the part {part}, "
                f"expected the {len(rows)} of the split in their order, with their labels; {REMEDY}"
            )


def explain_cases(
    model: Model,
    domain: Domain,
    cases: pd.DataFrame,
) -> ExplainedCases:
    """Make the maps and regions of the cases that `find_hardest_cases` found."""
    rows = cases["sample"].to_numpy()
    images, covariates = domain.images[rows], domain.clinical(rows)
    maps = {}
    if len(rows):
        for name, method in METHODS.items():
            maps[name] = method.make_maps(model, images, covariates)
    return ExplainedCases(cases, maps, lesion_regions(domain, rows), domain.classes[-1])
