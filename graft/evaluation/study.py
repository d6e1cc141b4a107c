"""One domain as evaluate sees it: its cases part by part, and what a model or a baseline says of them."""

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
from graft.data.split import read_split
from graft.evaluation.baselines import covariates_only, majority, size_alone
from graft.networks.saved import Model
from graft.statistics.cases import Assessment, Cases, assess, class_codes
from graft.statistics.scores import PROBABILITY_DECIMALS


@dataclass(frozen=True)
class Study:
    """A domain, the rows of each part that is there, and the cases of all parts but the training part."""

    domain: Domain
    rows: dict[str, np.ndarray]
    cases: dict[str, Cases]

    @classmethod
    def read(cls, folder: Path, split_file: Path, resamples: int, seed: int) -> "Study":
        """Read a processed domain and its split, and draw the resamples of its parts."""
        domain = Domain.read(folder)
        rows = read_split(split_file, domain.index)
        cases = {}
        for part in ("validation", *TESTS):
            if part in rows:
                random = generator(seed, "bootstrap", domain.name, part)
                wanted = (
                    resamples if part in TESTS else 0
                )  # validation scores get no interval: they are to choose by
                cases[part] = Cases.of(
                    domain.index.iloc[rows[part]], domain.classes, wanted, random
                )
        return cls(domain, rows, cases)

    def assess(self, model: Model, withhold: bool = False) -> Assessment:
        """Judge a model, where `withhold` with none of the covariates known.

        Raises InputError where it knows other classes, or learnt with covariates that the domain does not have.
        """
        if model.card["classes"] != self.domain.classes:
            raise InputError(
                f"{model.card.get('stage', 'model')}: knows the classes {model.card['classes']}, "
                f"expected {self.domain.classes} as in the domain {self.domain.name!r}"
            )
        hide = withheld if withhold else lambda known: known

        def predict(part: str) -> np.ndarray:
            images = self.domain.images[self.rows[part]]
            return model.predict(images, *(hide(known) for known in self._clinical(part)))

        return self._assess(predict)

    def assess_majority(self) -> Assessment:
        """Judge the baseline that always says how common each class was in the training part."""
        training = class_codes(self._index("train"), self.domain.classes)
        return self._assess(
            lambda part: majority(training, len(self.rows[part]), len(self.domain.classes))
        )

    def assess_size_alone(self) -> Assessment:
        """Judge the baseline that knows only the size of each lesion."""
        training = class_codes(self._index("train"), self.domain.classes)
        sizes = {part: self._index(part)["size"].to_numpy(float) for part in self.rows}
        return self._assess(
            lambda part: size_alone(sizes["train"], training, sizes[part], len(self.domain.classes))
        )

    def assess_covariates_only(self) -> Assessment | None:
        """Judge the baseline that knows only the covariates of each lesion; None where the domain has none."""
        if not self.domain.kinds:
            return None
        training = class_codes(self._index("train"), self.domain.classes)
        tables = {part: self.domain.clinical(self.rows[part]) for part in self.rows}
        encoding = fit_encoding(tables["train"], self.domain.kinds, self.domain.name)
        known = {part: encoding.encode(table) for part, table in tables.items()}
        classes = len(self.domain.classes)
        return self._assess(
            lambda part: covariates_only(known["train"], training, known[part], classes)
        )

    def counts(self) -> dict:
        """Patients and lesions of each of PARTS, or None: in all and by class.

        A patient counts in every class that they have a lesion of.
        """
        return {
            part: self._count(self._index(part)) if part in self.rows else None for part in PARTS
        }

    def _count(self, rows: pd.DataFrame) -> dict:
        by_class = {name: _count(rows[rows["label"] == name]) for name in self.domain.classes}
        return {**_count(rows), "by_class": by_class}

    def _clinical(self, part: str) -> list[pd.DataFrame]:
        """What a model may know beside the images of a part: the table of the covariates, or nothing."""
        return [self.domain.clinical(self.rows[part])] if self.domain.kinds else []

    def _index(self, part: str) -> pd.DataFrame:
        return self.domain.index.iloc[self.rows[part]]

    def _assess(self, predict: Callable[[str], np.ndarray]) -> Assessment:
        return assess(
            self.cases, {part: predict(part).round(PROBABILITY_DECIMALS) for part in self.cases}
        )


def _count(rows: pd.DataFrame) -> dict:
    return {"patients": int(rows["patient"].nunique()), "lesions": len(rows)}
