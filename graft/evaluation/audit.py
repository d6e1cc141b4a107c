"""What trained models say of themselves, held against the data: nobody learnt, stopped or chose on a test part.

A finding raises InputError; else each check leaves a row, as those of `graft.leakage.cohorts` do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from graft.common.files import InputError, read_json, sha256
from graft.common.vocabulary import PARTS
from graft.data.covariates import Encoding, fit_encoding
from graft.data.domain import Domain
from graft.data.task import take_samples
from graft.leakage.rows import Row, count, first, passed
from graft.statistics.cases import Assessment, class_codes
from graft.statistics.scores import choose_threshold

LOSS_TOLERANCE = 1e-6  # between two ways to work out a log loss: metrics.json rounds to as much
TAUGHT_BY = {"train": "learnt", "validation": "stopped"}  # what a part decides about a model


@dataclass(frozen=True)
class Trained:
    """A model's folder and card, the folder of the model that it started from, and the data that it learnt on."""

    folder: Path
    parent: Path | None
    domain: Domain
    rows: Mapping[str, np.ndarray]  # of each part of the domain

    @cached_property
    def card(self) -> dict:
        return read_json(self.folder / "card.json")

    @property
    def name(self) -> str:
        return str(self.folder / "card.json")


def trained(models: Mapping[str, Trained]) -> list[Row]:
    """Hold the cards of models, by name, against the parts of their domain.

    Models with weights from elsewhere have learnt nothing of it.

    Raises InputError with the card that says something else than the data does.
    """
    rows: list[Row] = []
    learnt = {name: model for name, model in models.items() if "weights" not in model.card}
    for domain in dict.fromkeys(model.domain.name for model in learnt.values()):
        rows += _learnt(
            {name: model for name, model in learnt.items() if model.domain.name == domain}
        )
    for name, model in models.items():
        _check_parent(model)
        found = (
            f"weights of {model.parent.as_posix()}, by SHA-256"
            if model.parent
            else "no other model"
        )
        rows.append(
            passed(
                "parent",
                model.domain.name,
                name,
                found if name in learnt else "weights from elsewhere",
            )
        )
    return rows


def fitted(
    name: str, fitted_on: Sequence[int], rows: Mapping[str, np.ndarray], domain: str
) -> None:
    """Raise InputError where the samples `fitted_on` of something that was fitted, as a temperature, are not the
    validation part of a domain with these parts, whole and alone.
    """
    wanted, found = set(rows["validation"].tolist()), set(np.asarray(fitted_on).tolist())
    if wanted != found:
        shared = {part: len(found & set(mine.tolist())) for part, mine in rows.items()}
        parts = [f"{number} of {part}" for part, number in shared.items() if number]
        others = len(found.difference(*(mine.tolist() for mine in rows.values())))
        told = ", ".join([*parts, *([f"{others} of no part"] if others else [])]) or "none"
        raise InputError(
            f"domains.{domain}: {name} was fitted on {count(len(found), 'sample')} ({told}), expected the "
            f"{len(wanted)} of "
            "the part validation and no other"
        )


def thresholds(
    domain: Domain, rows: Mapping[str, np.ndarray], assessments: Mapping[str, Assessment]
) -> Row:
    """A row on thresholds, each chosen anew from the validation part; raises InputError where one differs."""
    labels = class_codes(domain.index.iloc[rows["validation"]], domain.classes)
    for name, assessment in assessments.items():
        fitted(f"the threshold of {name}", assessment.fitted_on, rows, domain.name)
        expected = choose_threshold(labels, assessment.probabilities["validation"])
        if assessment.threshold != expected:
            raise InputError(
                f"domains.{domain.name}: the threshold of {name} is {assessment.threshold}, expected "
                f"{expected}, as the "
                "validation part alone gives"
            )
    found = "each the one that the validation part alone gives"
    return passed("thresholds", domain.name, ", ".join(assessments), found)


def tuning(
    domain: Domain, rows: Mapping[str, np.ndarray], tuned: Mapping[str, Mapping[str, Sequence[int]]]
) -> Row:
    """A row on what else was fitted to models, by model and by name: the samples of each are the validation part's."""
    for model, things in tuned.items():
        for name, fitted_on in things.items():
            fitted(f"{name} of {model}", fitted_on, rows, domain.name)
    names = dict.fromkeys(name for things in tuned.values() for name in things)
    looked_at = f"{', '.join(names)} of {', '.join(tuned)}"
    return passed(
        "tuning", domain.name, looked_at, "each fitted on the validation part, whole and alone"
    )


def choice(
    domain: Domain, rows: Mapping[str, np.ndarray], models: Mapping[str, Assessment], chosen: str
) -> Row:
    """A row on the model that was chosen; raises InputError where another has a lower validation log loss."""
    labels = class_codes(domain.index.iloc[rows["validation"]], domain.classes)
    told = {name: assessment.probabilities["validation"] for name, assessment in models.items()}
    losses = {name: _log_loss(labels, probabilities) for name, probabilities in told.items()}
    best = min(losses, key=losses.get)
    if losses[chosen] > losses[best] + LOSS_TOLERANCE:
        raise InputError(
            f"domains.{domain.name}: the chosen model is {chosen} with a log loss of {losses[chosen]:.6f} on "
            "the validation "
            f"part, expected {best} with {losses[best]:.6f}, the lowest"
        )
    found = f"{chosen}, {losses[chosen]:.4f}, the lowest"
    return passed(
        "choice",
        domain.name,
        f"log loss of {count(len(losses), 'model')} on the validation part",
        found,
    )


def hashes(folder: Path, split_file: Path) -> dict[str, str]:
    """SHA-256 of the files that a domain's scores are made from: its images, its index and its split."""
    files = {"images": folder / "images.npy", "index": folder / "index.csv", "split": split_file}
    return {name: sha256(file) for name, file in files.items()}


def _learnt(models: Mapping[str, Trained]) -> list[Row]:
    """Rows on models of one domain: what they learnt on, what stopped them, what encodes their covariates."""
    rows, names, one = [], ", ".join(models), next(iter(models.values()))
    for part, deed in TAUGHT_BY.items():
        for model in models.values():
            _check_data(model, part)
        found = f"each {deed} on the {count(len(one.rows[part]), 'lesion')} of the part {part} alone, by SHA-256"
        rows.append(passed(f"{part} data", one.domain.name, names, found))
    for model in models.values():
        _check_encoding(model)
    columns = one.card.get("covariates", ())
    known = f"{count(len(columns), 'covariate')}, encoded as the training part alone gives"
    found = known if columns else "no covariates"
    return [*rows, passed("encoding", one.domain.name, names, found)]


def _check_data(model: Trained, part: str) -> None:
    said = model.card.get("data", {})
    if said.get("domain") != model.domain.name:
        raise InputError(
            f"{model.name}: learnt from the domain {said.get('domain')!r}, expected {model.domain.name!r}"
        )
    if said.get(f"{part}_sha256") != _digest(model, part):
        some = (
            parts for size in range(1, len(PARTS) + 1) for parts in combinations(model.rows, size)
        )
        others = (parts for parts in some if parts != (part,))
        match = next(
            (parts for parts in others if _digest(model, *parts) == said.get(f"{part}_sha256")),
            None,
        )
        found = " and ".join(match) if match else "other data than these parts hold now"
        raise InputError(
            f"{model.name}: {TAUGHT_BY[part]} on {found}, expected the part {part} of {model.domain.name} and no other"
        )


def _digest(model: Trained, *parts: str) -> str:
    rows = np.sort(np.concatenate([model.rows[part] for part in parts]))
    return take_samples(
        model.domain, rows, Encoding(model.card.get("covariates", ())), torch.device("cpu")
    ).sha256()


def _check_encoding(model: Trained) -> None:
    """Refuse means, deviations and categories that more than the training part has taught."""
    domain = model.domain
    expected = fit_encoding(domain.clinical(model.rows["train"]), domain.kinds, domain.name).columns
    found = list(model.card.get("covariates", ()))
    if wrong := [column for column in found if column not in expected] or [
        c for c in expected if c not in found
    ]:
        names = first(column["name"] for column in wrong)
        raise InputError(
            f"{model.name}: {names} not encoded as the training part of {domain.name} gives, expected means, "
            "deviations and "
            "categories of that part alone"
        )


def _check_parent(model: Trained) -> None:
    said = model.card.get("parent") or {}
    folder, digest = said.get("folder"), said.get("weights_sha256")
    expected = model.parent and model.parent.as_posix()
    if folder != expected:
        none = "no other model"
        raise InputError(f"{model.name}: comes from {folder or none}, expected {expected or none}")
    if model.parent and digest != (now := sha256(model.parent / "weights.safetensors")):
        raise InputError(
            f"{model.name}: comes from weights {str(digest)[:12]} of {folder}, expected {now[:12]}, as they "
            "are there now"
        )


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    least = np.finfo(np.float64).eps
    return float(
        -np.log(np.clip(probabilities[np.arange(len(labels)), labels], least, None)).mean()
    )
