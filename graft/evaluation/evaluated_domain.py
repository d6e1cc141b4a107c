"""A domain with the cases of each part, and what models and baselines score on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.common.vocabulary import PARTS, TESTS
from graft.data.covariates import fit_encoding, withheld
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.split import read_folds, read_split
from graft.evaluation.baselines import covariates_only, majority, size_alone
from graft.networks.saved import Model
from graft.statistics.cases import Assessment, Cases, assess, class_codes
from graft.statistics.scores import PROBABILITY_DECIMALS

FitAndPredict = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class EvaluatedDomain:
    """A domain, the rows of each part that exists, and the cases of all parts except training.

    Without a validation part, the cases "validation" are the training rows. Each of them is
    predicted by a model that was trained outside of its fold.

    Attributes:
        domain: the domain.
        rows: of its index, by part.
        cases: of each test part that exists and of "validation".
        folds: (T,) the fold of each training row; 0 if the domain has a validation part.
    """

    domain: Domain
    rows: dict[str, np.ndarray]
    cases: dict[str, Cases]
    folds: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def from_files(
        cls,
        folder: Path,
        split_file: Path,
        resamples: int,
        seed: int,
        records: Path | None = None,
    ) -> "EvaluatedDomain":
        """Read a processed domain and its split, and draw the resamples of its test parts.

        The validation cases have no resamples, as their scores choose a model and get no interval.
        """
        domain = Domain.read(folder, records)
        rows = read_split(split_file, domain.index)
        folds = read_folds(split_file, domain.index)
        cases = {}
        for part in ("validation", *TESTS):
            if part not in rows and part != "validation":
                continue
            random = generator(seed, "bootstrap", domain.name, part)
            number = resamples if part in TESTS else 0
            index = domain.index.iloc[rows.get(part, rows["train"])]
            cases[part] = Cases.of(index, domain.classes, number, random)
        return cls(domain, rows, cases, folds)

    @property
    def validated_by(self) -> str:
        """What the validation cases are: "part", or "folds" of the training rows."""
        return "part" if "validation" in self.rows else "folds"

    @property
    def validating(self) -> np.ndarray:
        """The rows of the validation cases, which alone may decide thresholds and choices."""
        return self.rows.get("validation", self.rows["train"])

    def assess(
        self,
        model: Model,
        out_of_fold: np.ndarray | None = None,
        withhold: bool = False,
    ) -> Assessment:
        """Score a model on every part.

        Args:
            model: a trained model.
            out_of_fold: (T, C), the training rows as predicted out of fold, in their order. Without
                it, a domain without validation part has no validation cases and no threshold.
            withhold: whether to hide the covariates from the model.

        Raises:
            InputError: if the model has other classes than the domain, or was trained with
                covariates that the domain does not have.
        """
        if model.card["classes"] != self.domain.classes:
            raise InputError(
                f"{model.card.get('stage', 'model')}: has the classes {model.card['classes']}, "
                f"expected {self.domain.classes} as in the domain {self.domain.name!r}"
            )
        probabilities = {}
        for part in self.cases:
            if part in self.rows:
                probabilities[part] = self._predict(model, self.rows[part], withhold)
            elif out_of_fold is not None:
                probabilities[part] = out_of_fold
        return self._assess(probabilities)

    def assess_majority(self) -> Assessment:
        """Score the baseline that predicts the share of each class in the training part."""

        def predict(fitted: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return majority(self._labels(fitted), len(rows), len(self.domain.classes))

        return self._assess_baseline(predict)

    def assess_size_alone(self) -> Assessment:
        """Score the baseline that uses only the size of each lesion."""
        sizes = self.domain.index["size"].to_numpy(float)
        classes = len(self.domain.classes)

        def predict(fitted: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return size_alone(sizes[fitted], self._labels(fitted), sizes[rows], classes)

        return self._assess_baseline(predict)

    def assess_covariates_only(self) -> Assessment | None:
        """Score the baseline that uses only the covariates; None if the domain has none."""
        domain = self.domain
        if not domain.kinds:
            return None

        def predict(fitted: np.ndarray, rows: np.ndarray) -> np.ndarray:
            table = domain.clinical(fitted)
            encoding = fit_encoding(table, domain.kinds, domain.name)
            known = encoding.encode(table)
            wanted = encoding.encode(domain.clinical(rows))
            return covariates_only(known, self._labels(fitted), wanted, len(domain.classes))

        return self._assess_baseline(predict)

    def counts(self) -> dict:
        """Count the patients and lesions of each of PARTS, in total and by class.

        A patient counts in every class that they have a lesion of. A part that does not exist is
        None, and so are the patients if they are unknown.
        """
        counts: dict[str, dict | None] = dict.fromkeys(PARTS)
        for part in self.rows:
            index = self._index(part)
            by_class = {}
            for label in self.domain.classes:
                by_class[label] = self._count(index[index["label"] == label])
            counts[part] = {**self._count(index), "by_class": by_class}
        return counts

    def _count(self, index: pd.DataFrame) -> dict[str, int | None]:
        patients = int(index["patient"].nunique()) if self.domain.patients_known else None
        return {"patients": patients, "lesions": len(index)}

    def _index(self, part: str) -> pd.DataFrame:
        return self.domain.index.iloc[self.rows[part]]

    def _labels(self, rows: np.ndarray) -> np.ndarray:
        return class_codes(self.domain.index.iloc[rows], self.domain.classes)

    def _predict(self, model: Model, rows: np.ndarray, withhold: bool) -> np.ndarray:
        images = ImageRows(self.domain.images, rows)
        if not self.domain.kinds:
            return model.predict(images)
        covariates = self.domain.clinical(rows)
        return model.predict(images, withheld(covariates) if withhold else covariates)

    def _assess_baseline(self, predict: FitAndPredict) -> Assessment:
        """Score a baseline that is fitted to the training rows; out of fold outside of each fold.

        Args:
            predict: takes the rows to fit to and N rows to predict, and returns (N, C).
        """
        train = self.rows["train"]
        probabilities = {}
        for part in self.cases:
            if part in self.rows:
                probabilities[part] = predict(train, self.rows[part])
                continue
            predicted = np.zeros((len(train), len(self.domain.classes)))
            for fold in np.unique(self.folds):
                inside = self.folds == fold
                predicted[inside] = predict(train[~inside], train[inside])
            probabilities[part] = predicted
        return self._assess(probabilities)

    def _assess(self, probabilities: Mapping[str, np.ndarray]) -> Assessment:
        rounded = {}
        for part, predicted in probabilities.items():
            rounded[part] = predicted.round(PROBABILITY_DECIMALS)
        return assess(self.cases, rounded)
