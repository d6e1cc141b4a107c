"""A domain with the cases of each part, and what models and baselines score on them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from graft.common.files import InputError
from graft.common.seeds import generator
from graft.common.vocabulary import PARTS, TESTS
from graft.data.covariates import fit_encoding, withheld
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows
from graft.data.split import read_split
from graft.evaluation.baselines import covariates_only, majority, size_alone
from graft.networks.saved import Model
from graft.statistics.cases import Assessment, Cases, assess, class_codes
from graft.statistics.scores import PROBABILITY_DECIMALS


@dataclass(frozen=True)
class EvaluatedDomain:
    """A domain, the rows of each part that exists, and the cases of all parts except training."""

    domain: Domain
    rows: dict[str, np.ndarray]
    cases: dict[str, Cases]

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

        The validation part has no resamples, as its scores choose a model and get no interval.
        """
        domain = Domain.read(folder, records)
        rows = read_split(split_file, domain.index)
        cases = {}
        for part in ("validation", *TESTS):
            if part not in rows:
                continue
            random = generator(seed, "bootstrap", domain.name, part)
            number = resamples if part in TESTS else 0
            index = domain.index.iloc[rows[part]]
            cases[part] = Cases.of(index, domain.classes, number, random)
        return cls(domain, rows, cases)

    def assess(self, model: Model, withhold: bool = False) -> Assessment:
        """Score a model on every part.

        Args:
            model: a trained model.
            withhold: whether to hide the covariates from it.

        Raises:
            InputError: if the model has other classes than the domain, or was trained with
                covariates that the domain does not have.
        """
        if model.card["classes"] != self.domain.classes:
            raise InputError(
                f"{model.card.get('stage', 'model')}: has the classes {model.card['classes']}, "
                f"expected {self.domain.classes} as in the domain {self.domain.name!r}"
            )

        def predict(part: str) -> np.ndarray:
            images = ImageRows(self.domain.images, self.rows[part])
            if not self.domain.kinds:
                return model.predict(images)
            covariates = self.domain.clinical(self.rows[part])
            return model.predict(images, withheld(covariates) if withhold else covariates)

        return self._assess(predict)

    def assess_majority(self) -> Assessment:
        """Score the baseline that predicts the share of each class in the training part."""
        labels = self._training_labels()
        classes = len(self.domain.classes)

        def predict(part: str) -> np.ndarray:
            return majority(labels, len(self.rows[part]), classes)

        return self._assess(predict)

    def assess_size_alone(self) -> Assessment:
        """Score the baseline that uses only the size of each lesion."""
        labels = self._training_labels()
        classes = len(self.domain.classes)
        training_sizes = self._sizes("train")

        def predict(part: str) -> np.ndarray:
            return size_alone(training_sizes, labels, self._sizes(part), classes)

        return self._assess(predict)

    def assess_covariates_only(self) -> Assessment | None:
        """Score the baseline that uses only the covariates; None if the domain has none."""
        if not self.domain.kinds:
            return None
        labels = self._training_labels()
        classes = len(self.domain.classes)
        training_table = self.domain.clinical(self.rows["train"])
        encoding = fit_encoding(training_table, self.domain.kinds, self.domain.name)
        training_covariates = encoding.encode(training_table)

        def predict(part: str) -> np.ndarray:
            covariates = encoding.encode(self.domain.clinical(self.rows[part]))
            return covariates_only(training_covariates, labels, covariates, classes)

        return self._assess(predict)

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

    def _sizes(self, part: str) -> np.ndarray:
        return self._index(part)["size"].to_numpy(float)

    def _training_labels(self) -> np.ndarray:
        return class_codes(self._index("train"), self.domain.classes)

    def _assess(self, predict: Callable[[str], np.ndarray]) -> Assessment:
        probabilities = {}
        for part in self.cases:
            probabilities[part] = predict(part).round(PROBABILITY_DECIMALS)
        return assess(self.cases, probabilities)
