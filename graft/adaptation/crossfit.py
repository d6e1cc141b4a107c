"""The choice of a method, and what it is worth, on patients that nothing was fitted to.

The labelled patients are divided into folds. For a fold, the method is chosen by a cross-validation
over the patients outside of it, fitted to them, and scored on the fold (Varma and Simon 2006, Bias
in Error Estimation when Using Cross-Validation for Model Selection, BMC Bioinformatics 7). So no
patient has any influence on the method, the thresholds and the quantiles that it is scored with.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.adaptation.fits import METHODS, NONE, Fit, Fitter
from graft.adaptation.recalibration import carry_quantiles, refit_points, refit_quantiles
from graft.adaptation.site import Site
from graft.adaptation.unlabelled import choose_without_labels
from graft.common.seeds import generator
from graft.data.folds import deal_patients, random_orders
from graft.statistics.scores import LEAST_PROBABILITY

FOLDS = 5
FEWEST = 10  # labelled patients, of at least two classes: fewer cannot choose a method

Points = dict[str, float | None]


@dataclass(frozen=True)
class Choice:
    """A method, and how it did beside the others.

    Attributes:
        method: one of METHODS.
        losses: (n,) by method, the log loss of each labelled lesion out of fold; empty without
            a choice by labels.
        raw: (n, C) of the method, out of fold.
        calibrated: (n, C) of the method, out of fold.
    """

    method: str
    losses: dict[str, np.ndarray]
    raw: np.ndarray
    calibrated: np.ndarray


@dataclass(frozen=True)
class Adapted:
    """A fit with the thresholds and quantiles that belong to it."""

    method: str
    fit: Fit
    points: Points
    quantiles: Points


@dataclass(frozen=True)
class CrossFit:
    """Chooses and fits methods on some lesions of a site.

    Attributes:
        fitter: of the methods.
        folds: (N,) the fold of each lesion's patient, from 0; -1 without any label of the patient.
        order: the labelled lesions, patient by patient in a random order.
        seed: of the random draws.
    """

    fitter: Fitter
    folds: np.ndarray
    order: np.ndarray
    seed: int

    @classmethod
    def of(cls, fitter: Fitter, seed: int) -> "CrossFit":
        """Deal the labelled patients of a site into folds, class by class."""
        site = fitter.site
        names = list(map(str, range(len(fitter.predictor.classes))))
        rows = pd.DataFrame(
            {
                "patient": site.patients[site.labelled],
                "label": site.labels[site.labelled].astype(str),
            }
        )
        orders = random_orders(rows, names, generator(seed, "adapt", "folds"))
        fold_of = deal_patients(orders, FOLDS)
        folds = np.array([fold_of.get(patient, -1) for patient in site.patients.tolist()])
        patients = generator(seed, "adapt", "order").permutation(np.unique(rows["patient"]))
        place = {patient: number for number, patient in enumerate(patients.tolist())}
        places = np.array([place[one] for one in rows["patient"].tolist()], dtype=int)
        order = site.labelled[np.argsort(places, kind="stable")]
        return cls(fitter, folds, order, seed)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the folds."""
        return [int(number) for number in np.unique(self.folds) if number >= 0]

    @property
    def can_choose(self) -> bool:
        """Whether the labels outside of each fold can choose a method, as the score needs it."""
        outside = [self.first(None, self.outside(fold)) for fold in self.numbers]
        return bool(outside) and all(enough_labels(self.fitter.site, rows) for rows in outside)

    def outside(self, fold: int | None = None) -> np.ndarray:
        """The lesions of all patients who are not in a fold."""
        return (
            np.flatnonzero(self.folds != fold) if fold is not None else np.arange(len(self.folds))
        )

    def first(self, count: int | None, seen: np.ndarray) -> np.ndarray:
        """The first labelled lesions, in the random order of patients, among those that are seen.

        All lesions of a patient are taken together, until there are at least `count`.
        """
        order = self.order[np.isin(self.order, seen)]
        if count is None:
            return np.sort(order)
        patients = self.fitter.site.patients[order]
        starts = np.flatnonzero(np.append(True, np.diff(patients) != 0)) if len(order) else order
        enough = starts[starts >= count]
        return np.sort(order[: enough[0]] if len(enough) else order)

    def adapt(self, labelled: np.ndarray, seen: np.ndarray, method: str | None = None) -> Adapted:
        """Choose a method unless it is given, and fit it.

        Args:
            labelled: the numbers of the lesions whose labels are used, some of `seen`.
            seen: the numbers of the lesions whose images are used.
            method: one of METHODS.
        """
        choice = self.choose(labelled, seen, method)
        fit = self.fitter.fit(choice.method, labelled, seen)
        fitted = self.fitter.fitted
        bias = tuple(fitted.bias.values()) or (0.0,) * len(fit.bias)
        before, after = (fitted.temperature, bias), (fit.temperature, fit.bias)
        points = dict(fitted.points)
        quantiles = carry_quantiles(fitted.quantiles, before, after)
        if choice.method != NONE and len(choice.raw):
            labels = self.fitter.site.labels[labelled]
            points = refit_points(points, fitted.wanted, labels, choice.raw)
            alpha = fitted.miscoverage
            quantiles = refit_quantiles(quantiles, alpha, labels, choice.calibrated)
        return Adapted(choice.method, fit, points, quantiles)

    def choose(self, labelled: np.ndarray, seen: np.ndarray, method: str | None = None) -> Choice:
        """Choose a method by a cross-validation over the patients of the labelled lesions.

        What the images alone would choose comes first, then all methods from cheap to expensive.
        """
        default = choose_without_labels(self.fitter, seen)
        if not (self.can_choose and enough_labels(self.fitter.site, labelled)):
            nothing = np.zeros((0, self.fitter.site.raw.shape[1]))
            return Choice(method or default, {}, nothing, nothing)
        fits = {name: self._out_of_fold(name, labelled, seen) for name in (default, *METHODS)}
        cases, labels = np.arange(len(labelled)), self.fitter.site.labels[labelled]
        losses = {}
        for name, (_, calibrated) in fits.items():
            losses[name] = -np.log(np.maximum(calibrated[cases, labels], LEAST_PROBABILITY))
        chosen = method or first_within_error(losses, self.fitter.site.patients[labelled])
        return Choice(chosen, losses, *fits[chosen])

    def _out_of_fold(
        self, method: str, labelled: np.ndarray, seen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Raw and calibrated probabilities (n, C) of labelled lesions, each fitted without them."""
        raw = np.zeros((len(labelled), self.fitter.site.raw.shape[1]))
        calibrated = raw.copy()
        for fold in np.unique(self.folds[labelled]):
            inside = self.folds[labelled] == fold
            others = seen[self.folds[seen] != fold]
            fit = self.fitter.fit(method, labelled[~inside], others)
            raw[inside] = fit.raw[labelled[inside]]
            calibrated[inside] = fit.calibrated[labelled[inside]]
        return raw, calibrated


def enough_labels(site: Site, labelled: np.ndarray) -> bool:
    """Whether labelled lesions can choose a method."""
    patients = np.unique(site.patients[labelled])
    return len(patients) >= FEWEST and len(np.unique(site.labels[labelled])) > 1


def first_within_error(losses: dict[str, np.ndarray], patients: np.ndarray) -> str:
    """The first method that is not worse than the best one by more than one standard error.

    The error is that of the mean difference, over patients. Breiman, Friedman, Olshen and Stone
    (1984), Classification and Regression Trees, section 3.4.3, here for paired losses.

    Args:
        losses: (n,) by method, in the order of preference.
        patients: (n,) numbers.
    """
    best = min(losses, key=lambda name: losses[name].mean())
    for name, values in losses.items():
        difference = values - losses[best]
        if difference.mean() <= standard_error(difference, patients):
            return name
    return best


def standard_error(values: np.ndarray, patients: np.ndarray) -> float:
    """The standard error of the mean of values (n,) of lesions, over patients (n,)."""
    numbers = np.unique(patients, return_inverse=True)[1]
    sums = np.bincount(numbers, values - values.mean())
    count = len(sums)
    return float(np.sqrt((sums**2).sum() * count / max(count - 1, 1)) / len(values))
