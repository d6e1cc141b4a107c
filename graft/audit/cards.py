"""The audit of model cards: the training data and the parent of each model."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from graft.common.files import InputError, sha256
from graft.common.shown import counted
from graft.common.vocabulary import PARTS
from graft.data.covariates import Encoding, fit_encoding
from graft.data.domain import Domain
from graft.data.task import take_samples
from graft.leakage.rows import CheckRow, first_few, passed_check
from graft.networks.card import read_card

USES = {"train": "trained", "validation": "validated"}  # what a model did on a part
NOT_VALIDATED = "on none: each trained for a fixed number of epochs"
NO_PARENT = "no other model"
DIGITS = 12  # of a hash in a message


@dataclass(frozen=True)
class TrainedModel:
    """A trained model and what its card should describe.

    Attributes:
        folder: of the model.
        parent: the folder of the model that it started from, if there is one.
        domain: that it was trained on.
        rows: the rows of the domain's index by part. Without a part "validation" it was trained
            for a fixed number of epochs.
        fold: outside of which a network of a fold was trained; its part "train" lacks this fold.
        keyed: makes the digest of data that the card of a private model has from its SHA-256.
    """

    folder: Path
    parent: Path | None
    domain: Domain
    rows: Mapping[str, np.ndarray]
    fold: int | None = None
    keyed: Callable[[str], str] | None = None

    @cached_property
    def card(self) -> dict:
        """The content of card.json."""
        return read_card(self.folder)

    @property
    def strategy(self) -> str:
        """How it was carried over from its source, which names its arm of the learning curve."""
        return self.card.get("strategy", "l2-sp")

    @property
    def name(self) -> str:
        """The path of the card, for messages."""
        return str(self.folder / "card.json")

    @property
    def training_part(self) -> str:
        """The rows that it was trained on, for messages."""
        part = f"the part train of {self.domain.name}"
        return f"{part} outside of fold {self.fold}" if self.fold else part


def check_cards(models: Mapping[str, TrainedModel]) -> list[CheckRow]:
    """Compare the cards of models with the parts of their domain.

    Of models with weights from elsewhere only the parent is checked, because they were not trained
    on the domain.

    Args:
        models: by name.

    Returns:
        A row for each check.

    Raises:
        InputError: if a card differs from the data. The message has the path of the card.
    """
    domains: dict[str, dict[str, TrainedModel]] = {}
    for name, model in models.items():
        if not _is_from_elsewhere(model):
            domains.setdefault(model.domain.name, {})[name] = model
    rows = []
    for trained in domains.values():
        rows += _check_training(trained)
    for name, model in models.items():
        check_parent(model)
        rows.append(passed_check("parent", model.domain.name, name, _describe_parent(model)))
    return rows


def _is_from_elsewhere(model: TrainedModel) -> bool:
    return "weights" in model.card


def _describe_parent(model: TrainedModel) -> str:
    if model.parent is None:
        return "weights from elsewhere" if _is_from_elsewhere(model) else NO_PARENT
    return f"weights of {model.parent.as_posix()}, by SHA-256"


def _check_training(models: Mapping[str, TrainedModel]) -> list[CheckRow]:
    """Check the data, the validation and the covariates of models of one domain."""
    one = next(iter(models.values()))
    domain = one.domain.name
    names = ", ".join(models)
    rows = []
    for part, use in USES.items():
        digests: dict[str, str | None] = {}
        for model in models.values():
            check_data(model, part, digests)
        found = NOT_VALIDATED
        if part in one.rows:
            lesions = counted(len(one.rows[part]), "lesion")
            found = f"each {use} on the {lesions} of the part {part} alone, by SHA-256"
        rows.append(passed_check(f"{part} data", domain, names, found))
    for model in models.values():
        check_encoding(model)
    found = "no covariates"
    if columns := one.card.get("covariates", ()):
        found = f"{counted(len(columns), 'covariate')}, encoded by the training part alone"
    rows.append(passed_check("encoding", domain, names, found))
    return rows


def check_data(model: TrainedModel, part: str, digests: dict[str, str | None]) -> None:
    """Check what a model was trained or validated on.

    Args:
        model: of the domain.
        part: "train" or "validation". A model whose rows lack the latter was not validated.
        digests: those of the part by encoding, so that models that share one read it once.

    Raises:
        InputError: if its card names other data.
    """
    data = model.card.get("data", {})
    domain = model.domain.name
    if data.get("domain") != domain:
        raise InputError(
            f"{model.name}: trained on the domain {data.get('domain')!r}, expected {domain!r}"
        )
    digest = data.get(f"{part}_sha256")
    encoding = json.dumps(model.card.get("covariates", ()), sort_keys=True)
    if encoding not in digests:
        digests[encoding] = _digest(model, (part,)) if part in model.rows else None
    if digest == digests[encoding]:
        return
    found = "data that these parts do not have now" if digest else "no data"
    for parts in _unions_of_parts(model):
        if digest == _digest(model, parts):
            found = " and ".join(parts)
            break
    expected = f"{model.training_part} and no other data"
    if part == "validation":
        expected = f"the part validation of {domain} and no other data"
        if part not in model.rows:
            expected = "no data"
    raise InputError(f"{model.name}: {USES[part]} on {found}, expected {expected}")


def _unions_of_parts(model: TrainedModel) -> Iterator[tuple[str, ...]]:
    """Yield every combination of parts, which a model may have used instead of one part."""
    for size in range(1, len(PARTS) + 1):
        yield from combinations(model.rows, size)


def _digest(model: TrainedModel, parts: tuple[str, ...]) -> str:
    """Compute SHA-256 of the samples of some parts, encoded as the card says."""
    rows = np.sort(np.concatenate([model.rows[part] for part in parts]))
    encoding = Encoding(model.card.get("covariates", ()))
    found = take_samples(model.domain, rows, encoding, torch.device("cpu")).sha256()
    return model.keyed(found) if model.keyed else found


def check_encoding(model: TrainedModel) -> None:
    """Raise InputError if covariates are encoded by other data than the model's training rows."""
    domain = model.domain
    training = domain.clinical(model.rows["train"])
    expected = fit_encoding(training, domain.kinds, domain.name).columns
    found = list(model.card.get("covariates", ()))
    wrong = [column for column in found if column not in expected]
    missing = [column for column in expected if column not in found]
    if differing := wrong or missing:
        names = first_few(column["name"] for column in differing)
        raise InputError(
            f"{model.name}: {names} not encoded by {model.training_part}, "
            "expected its means, deviations and categories alone"
        )


def check_parent(model: TrainedModel) -> None:
    """Raise InputError if a model started from another one than its parent as it is now."""
    parent = model.card.get("parent") or {}
    folder = parent.get("folder")
    expected = model.parent and model.parent.as_posix()
    if folder != expected:
        raise InputError(
            f"{model.name}: started from {folder or NO_PARENT}, expected {expected or NO_PARENT}"
        )
    if model.parent is None:
        return
    digest = str(parent.get("weights_sha256"))
    now = sha256(model.parent / "weights.safetensors")
    if digest != now:
        raise InputError(
            f"{model.name}: started from the weights {digest[:DIGITS]} of {folder}, "
            f"expected {now[:DIGITS]}, which are there now"
        )
