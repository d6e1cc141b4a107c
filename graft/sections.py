"""The sections of `params.yaml`: which keys there are, and what each may be."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Kind = Literal["number", "category", "text"]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
PUBLISHED = {"imagenet": "torchvision-", "kinetics": "video-", "medicalnet": "medicalnet-"}  # weights: their networks
SUFFIXES = (".pt", ".pth", ".safetensors")  # files of weights


class Section(BaseModel):
    """A part of params.yaml: unknown keys, other types, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


# Columns of a manifest that say who or what a lesion is: learnt from, they would be the answer or nothing.
NO_COVARIATES = ("sample", "patient", "image", "series", "label", "mask", "segment", "frame", "split")


class Split(Section):
    external: str | None
    labelled: Annotated[float, Field(gt=0, le=1)]
    validation: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _leaves_some(self) -> "Split":
        if self.validation + self.test >= 1:
            raise ValueError("test: expected validation + test below 1, so that patients remain to train on")
        return self


class Domain(Section):
    path: str
    classes: Annotated[list[str], Field(min_length=2)]
    window: Pair
    intensity: Literal["window", "percentile", "zscore"]
    patient_pattern: str | None
    covariates: dict[str, Kind]
    burned_in: Literal["refuse", "allow"]
    split: Split

    @model_validator(mode="after")
    def _ordered(self) -> "Domain":
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: expected names that differ")
        if self.window[0] == self.window[1]:
            raise ValueError(f"window: got {self.window}, expected two intensities that differ")
        if self.intensity == "percentile" and not all(0 <= end <= 100 for end in self.window):
            raise ValueError(f"window: got {self.window}, expected percentiles from 0 to 100, as intensity says")
        if refused := [name for name in self.covariates if name.strip() != name or not name or name in NO_COVARIATES]:
            raise ValueError(
                f"covariates: got {refused[0]!r}, expected a column of manifest.csv that describes the patient or the "
                f"lesion, none of {', '.join(NO_COVARIATES)}"
            )
        return self

    @model_validator(mode="after")
    def _finds_patients(self) -> "Domain":
        if self.patient_pattern is None:
            return self
        try:
            groups = re.compile(self.patient_pattern).groups
            fault = None if groups == 1 else f"{groups} groups"
        except re.error as error:
            fault = str(error)
        if fault:
            raise ValueError(
                f"patient_pattern: got {self.patient_pattern!r} ({fault}), expected null or a regular expression with "
                "one group, around the patient"
            )
        return self


class Privacy(Section):
    """Where the key of the pseudonyms is found."""

    key_variable: Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
    key_file: str | None


class Cohort(Section):
    patients: Count


class Preprocess(Section):
    patch: Annotated[list[Annotated[int, Field(ge=4)]], Field(min_length=2, max_length=3)]
    spacing: Annotated[list[Positive], Field(min_length=2, max_length=3)]

    @model_validator(mode="after")
    def _same_length(self) -> "Preprocess":
        if len(self.patch) != len(self.spacing):
            raise ValueError("spacing: expected as many numbers as patch has")
        return self


class Network(Section):
    name: Literal[
        "resnet", "cnn", "resnet10", "resnet18", "resnet50", "densenet121",
        "torchvision-resnet18", "torchvision-resnet18-planes", "torchvision-resnet18-inflated",
        "torchvision-resnet34", "torchvision-resnet34-planes", "torchvision-resnet34-inflated",
        "torchvision-resnet50", "torchvision-resnet50-planes", "torchvision-resnet50-inflated",
        "video-r3d_18", "video-mc3_18", "video-r2plus1d_18",
        "medicalnet-resnet10", "medicalnet-resnet18", "medicalnet-resnet34", "medicalnet-resnet50",
    ]  # fmt: skip
    width: Annotated[int, Field(ge=8, multiple_of=8)]


class Training(Section):
    device: Literal["auto", "cpu", "cuda"]
    batch: Count
    optimizer: Literal["adamw", "adam"]
    weight_decay: Weight
    schedule: Literal["cosine", "constant"]
    class_weights: Literal["balanced", "none"]


class Augment(Section):
    flip: Annotated[float, Field(ge=0, le=1)]
    rotate: Annotated[float, Field(ge=0, le=180)]
    scale: Share
    shift: Weight
    contrast: Share
    brightness: Weight
    noise: Weight


class Recipe(Section):
    """How long and how strictly one stage trains."""

    epochs: Count
    lr: Positive
    patience: Count
    transforms: Annotated[int, Field(ge=0)]
    l1: Weight
    l2: Weight


class Pretrain(Recipe):
    source: str


class Finetune(Recipe):
    penalty: Literal["l2", "l1"]
    head: Literal["new", "pretrained"]


class Ensemble(Recipe):
    members: Count


class Evaluate(Section):
    resamples: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    margin: Annotated[float, Field(gt=0, lt=1)]
    sensitivity: Annotated[float, Field(gt=0, lt=1)]
    specificity: Annotated[float, Field(gt=0, lt=1)]
    folds: Annotated[int, Field(ge=0)]
    repeats: Count
    lambdas: list[Weight]

    @model_validator(mode="after")
    def _several_folds(self) -> "Evaluate":
        if self.folds == 1:
            raise ValueError("folds: got 1, expected 0 for no cross-validation, or at least 2")
        return self


class LearningCurve(Section):
    shares: list[Annotated[float, Field(gt=0, le=1)]]
    draws: Annotated[int, Field(ge=0)]


class Sources(Section):
    candidates: list[str]

    @model_validator(mode="after")
    def _each_once(self) -> "Sources":
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError(f"candidates: got {self.candidates}, expected each domain once")
        return self


class Explain(Section):
    cases: Annotated[int, Field(ge=0)]


class Params(Section):
    """The whole of params.yaml. `lambda` is a Python keyword: read it as a key."""

    lambda_: Annotated[Weight, Field(alias="lambda")]
    seed: Annotated[int, Field(ge=0)]
    source: str
    target: str
    domains: Annotated[dict[str, Domain], Field(min_length=1)]
    privacy: Privacy
    phantom: dict[Literal["lung", "liver", "liver_mr"], Cohort]
    preprocess: Preprocess
    network: Network
    training: Training
    augment: Augment
    pretrain: Pretrain
    finetune: Finetune
    regularize: Recipe
    ensemble: Ensemble
    sources: Sources
    learning_curve: LearningCurve
    evaluate: Evaluate
    explain: Explain

    @model_validator(mode="after")
    def _known_domains(self) -> "Params":
        if "random" in self.domains:
            raise ValueError("domains: got 'random', expected another name; so the network that learnt nothing is called")
        for role in ("source", "target"):
            if getattr(self, role) not in self.domains:
                raise ValueError(f"{role}: got {getattr(self, role)!r}, expected one of domains: {', '.join(self.domains)}")
        others = [name for name in self.domains if name not in (self.source, self.target)]
        for name in self.sources.candidates:
            if name not in others:
                known = ", ".join(others) or "of which there are none"
                raise ValueError(f"sources.candidates: got {name!r}, expected domains beside source and target: {known}")
        return self

    @model_validator(mode="after")
    def _known_weights(self) -> "Params":
        start, network = self.pretrain.source, self.network.name
        if start == self.source:
            return self
        if start in self.domains or not (start in PUBLISHED or start.endswith(SUFFIXES)):
            raise ValueError(
                f"pretrain.source: got {start!r}, expected {self.source!r}, as source says, to learn it, or the "
                f"weights {', '.join(PUBLISHED)}, or a file {', '.join(SUFFIXES)}"
            )
        if not network.startswith(PUBLISHED.get(start, "")):
            raise ValueError(
                f"network.name: got {network!r} with pretrain.source {start!r}, expected one that these weights "
                f"are for, {PUBLISHED[start]}..."
            )
        if self.finetune.head == "pretrained":
            raise ValueError(
                f"finetune.head: got 'pretrained' with pretrain.source {start!r}, whose head knows other classes; "
                "expected 'new'"
            )
        return self
