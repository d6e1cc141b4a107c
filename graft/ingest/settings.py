"""The parameters of how raw data becomes images."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from graft.common.parameters import Positive, Section

Kind = Literal["number", "category", "text"]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]

# Columns of a manifest that identify a lesion or give its answer away. A model must not read them.
NO_COVARIATES = (
    "sample",
    "patient",
    "image",
    "series",
    "label",
    "mask",
    "segment",
    "frame",
    "split",
)


class RawDomain(Section):
    """Where the raw data of one domain is, and how its images and covariates are read."""

    path: str
    classes: Annotated[list[str], Field(min_length=2)]
    window: Pair
    intensity: Literal["window", "percentile", "zscore"]
    patient_pattern: str | None
    covariates: dict[str, Kind]
    burned_in: Literal["refuse", "allow"]

    @model_validator(mode="after")
    def _check_classes_and_window(self) -> "RawDomain":
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: expected names that differ")
        if self.window[0] == self.window[1]:
            raise ValueError(f"window: got {self.window}, expected two intensities that differ")
        if self.intensity == "percentile" and not all(0 <= end <= 100 for end in self.window):
            raise ValueError(
                f"window: got {self.window}, expected percentiles from 0 to 100, "
                "because intensity is 'percentile'"
            )
        return self

    @model_validator(mode="after")
    def _check_covariates(self) -> "RawDomain":
        for name in self.covariates:
            if name.strip() != name or not name or name in NO_COVARIATES:
                raise ValueError(
                    f"covariates: got {name!r}, expected a column of manifest.csv that describes "
                    f"the patient or the lesion, none of {', '.join(NO_COVARIATES)}"
                )
        return self

    @model_validator(mode="after")
    def _check_patient_pattern(self) -> "RawDomain":
        if self.patient_pattern is None:
            return self
        try:
            groups = re.compile(self.patient_pattern).groups
            fault = None if groups == 1 else f"{groups} groups"
        except re.error as error:
            fault = str(error)
        if fault:
            raise ValueError(
                f"patient_pattern: got {self.patient_pattern!r} ({fault}), expected null or a "
                "regular expression with one group, around the patient"
            )
        return self


class PseudonymKey(Section):
    """Where the key of the pseudonyms is found."""

    key_variable: Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
    key_file: str | None


class Preprocess(Section):
    """The grid that every patch is resampled to: voxels, and mm per voxel."""

    patch: Annotated[list[Annotated[int, Field(ge=4)]], Field(min_length=2, max_length=3)]
    spacing: Annotated[list[Positive], Field(min_length=2, max_length=3)]

    @model_validator(mode="after")
    def _check_dimensions(self) -> "Preprocess":
        if len(self.patch) != len(self.spacing):
            raise ValueError("spacing: expected as many numbers as patch has")
        return self
