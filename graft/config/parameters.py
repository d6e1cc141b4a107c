"""The complete parameter file: every section, and the checks that need more than one of them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from graft.common.links import follow_links
from graft.common.names import LABEL_RULE, Identifier, is_label
from graft.common.parameters import Section, Seed, Weight, check_parameters, read_parameter_file
from graft.config.cost import check_memory, check_trainings
from graft.config.privacy import check_privacy
from graft.config.strategies import check_strategies, networks_of_draw, networks_of_fold
from graft.data.settings import SplitRules
from graft.evaluation.settings import Evaluate
from graft.explain.settings import Explain
from graft.ingest.settings import Preprocess, RawDomain
from graft.networks.card import is_model
from graft.networks.settings import Network, Predict
from graft.phantom.settings import SyntheticCohort
from graft.private_training.settings import Privacy
from graft.ranking.settings import Sources
from graft.release.settings import Release
from graft.repeated.settings import CrossValidation, LearningCurve
from graft.selfsupervised.settings import VIEWS, SelfSupervise
from graft.training.settings import Augment, Ensemble, Recipe, Training
from graft.transfer.settings import (
    PUBLISHED,
    SELF_SUPERVISED,
    WEIGHT_SUFFIXES,
    Finetune,
    Pretrain,
)

RESERVED = "random"  # the untrained network's name in the ranking of sources


class DomainParameters(RawDomain):
    """One entry of `domains`: its raw data, and how its patients are divided."""

    split: SplitRules


class Parameters(Section):
    """All keys of the parameter file. `lambda` is a Python keyword, hence the underscore."""

    lambda_: Annotated[Weight, Field(alias="lambda")]
    seed: Seed
    source: Identifier
    target: Identifier
    domains: Annotated[dict[Identifier, DomainParameters], Field(min_length=1, max_length=100)]
    privacy: Privacy
    phantom: dict[Literal["lung", "liver", "liver_mr", "unrelated"], SyntheticCohort]
    preprocess: Preprocess
    network: Network
    training: Training
    augment: Augment
    self_supervise: SelfSupervise
    pretrain: Pretrain
    finetune: Finetune
    regularize: Recipe
    ensemble: Ensemble
    predict: Predict
    sources: Sources
    learning_curve: LearningCurve
    cross_validation: CrossValidation
    evaluate: Evaluate
    explain: Explain
    release: Release

    @model_validator(mode="after")
    def _check_domains(self) -> "Parameters":
        names = ", ".join(self.domains)
        if RESERVED in self.domains:
            raise ValueError(
                f"domains: got {RESERVED!r}, expected another name, because the untrained "
                "network has this one"
            )
        if len({name.casefold() for name in self.domains}) < len(self.domains):
            raise ValueError(
                f"domains: got {names}, expected names that differ not only by case, because some "
                "file systems ignore it"
            )
        for role in ("source", "target"):
            name = getattr(self, role)
            if name not in self.domains:
                raise ValueError(f"{role}: got {name!r}, expected one of domains: {names}")
        return self

    @model_validator(mode="after")
    def _check_candidates(self) -> "Parameters":
        others = [name for name in self.domains if name not in (self.source, self.target)]
        known = ", ".join(others) or "there are none"
        for name in self.sources.candidates:
            if name not in others:
                raise ValueError(
                    f"sources.candidates: got {name!r}, expected domains other than source "
                    f"and target: {known}"
                )
        return self

    @model_validator(mode="after")
    def _check_sources_are_not_the_target(self) -> "Parameters":
        """A gain from more training on the same images is no transfer."""
        trained_on = list(self.sources.candidates)
        if self.pretrain.source == self.source:
            trained_on.append(self.source)
        target = follow_links(Path(self.domains[self.target].path))
        for name in trained_on:
            role, instead = "sources.candidates", ""
            if name == self.source:
                role = "source"
                published = ", ".join(PUBLISHED)
                instead = f", or weights from elsewhere in pretrain.source: {published}, or a file"
            if follow_links(Path(self.domains[name].path)) == target:
                raise ValueError(
                    f"{role}: got {name!r}, which has the raw data of the target {self.target!r}; "
                    f"expected a domain with other patients{instead}"
                )
        return self

    @model_validator(mode="after")
    def _check_pretrained_weights(self) -> "Parameters":
        start, network = self.pretrain.source, self.network.name
        if start in (self.source, SELF_SUPERVISED):
            return self
        if not is_label(Path(start).name):
            raise ValueError(
                f"pretrain.source: got {start!r}, {LABEL_RULE}, because tables have this file name"
            )
        if start not in self.domains and is_model(Path(start)):
            return self  # of this network, or the stage stops
        if start in self.domains or not (start in PUBLISHED or start.endswith(WEIGHT_SUFFIXES)):
            raise ValueError(
                f"pretrain.source: got {start!r}, expected {self.source!r} to train on the "
                f"source, one of the published weights {', '.join(PUBLISHED)}, a file that ends "
                f"in {', '.join(WEIGHT_SUFFIXES)}, or the folder of a model"
            )
        prefix = PUBLISHED.get(start, "")
        if not network.startswith(prefix):
            raise ValueError(
                f"network.name: got {network!r} with pretrain.source {start!r}, expected a "
                f"network of these weights, {prefix}..."
            )
        if self.finetune.head == "pretrained":
            raise ValueError(
                f"finetune.head: got 'pretrained' with pretrain.source {start!r}, whose head "
                "has other classes; expected 'auto' or 'new'"
            )
        return self

    @model_validator(mode="after")
    def _check_self_supervision(self) -> "Parameters":
        settings, start = self.self_supervise, self.pretrain.source
        without_labels = start == SELF_SUPERVISED != self.source
        if without_labels and self.finetune.head == "pretrained":
            raise ValueError(
                f"finetune.head: got 'pretrained' with pretrain.source {start!r}, whose head is "
                "untrained; expected 'auto' or 'new'"
            )
        if without_labels and not settings.epochs:
            raise ValueError(
                f"self_supervise.epochs: got 0 with pretrain.source {start!r}, expected at least 1"
            )
        if not settings.epochs:
            return self
        if not without_labels and start != self.source:
            raise ValueError(
                f"self_supervise.epochs: got {settings.epochs} with pretrain.source {start!r}, "
                f"expected 0, or pretrain.source {self.source!r} or {SELF_SUPERVISED!r}, which "
                "start from the weights of self-supervision"
            )
        sees_target = settings.domains == "both" or self.source == self.target
        if self.cross_validation.folds and sees_target:
            raise ValueError(
                f"cross_validation.folds: got {self.cross_validation.folds} with "
                f"self_supervise.epochs {settings.epochs} on images of the target, which folds "
                "test; expected self_supervise.domains 'source' and another source than the "
                "target, or folds: 0"
            )
        return self

    @model_validator(mode="after")
    def _check_strategies(self) -> "Parameters":
        check_strategies(self)
        return self

    @model_validator(mode="after")
    def _check_privacy(self) -> "Parameters":
        check_privacy(self)
        return self

    @model_validator(mode="after")
    def _check_cost(self) -> "Parameters":
        recipes = (self.pretrain, self.finetune, self.regularize, self.ensemble)
        transforms = max(recipe.transforms for recipe in recipes)
        if self.self_supervise.epochs:
            transforms = max(transforms, VIEWS)
        network = self.network
        check_memory(network.name, network.width, self.preprocess.patch, transforms)
        curve, folds = self.learning_curve, self.cross_validation
        check_trainings(
            "learning_curve",
            shares=len({*curve.shares, 1.0}),
            draws=curve.draws,
            networks=networks_of_draw(self),
        )
        check_trainings(
            "cross_validation",
            folds=folds.folds,
            repeats=folds.repeats,
            networks=networks_of_fold(self),
        )
        return self

    @model_validator(mode="after")
    def _check_shift(self) -> "Parameters":
        side = min(self.preprocess.patch)
        if self.augment.shift > side:
            raise ValueError(
                f"augment.shift: got {self.augment.shift:g}, expected at most {side}, the smallest "
                "side of preprocess.patch, beyond which no voxel of an image remains"
            )
        return self


def load_parameters(path: Path) -> Parameters:
    """Read and check a complete parameter file.

    Raises InputError with the file, the key, its value and what is allowed.
    """
    return check_parameters(Parameters, read_parameter_file(path), path)
