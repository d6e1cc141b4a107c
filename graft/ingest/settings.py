"""The parameters of how raw data becomes images."""

import re
from ctypes import c_float
from typing import Annotated, Literal

from pydantic import Field, model_validator

from graft.common.names import Identifier, Label, Text
from graft.common.parameters import EachOnce, Section
from graft.common.shown import shown

Kind = Literal["number", "category", "text"]
TaskKind = Literal["number", "category", "ordinal"]
Classes = Annotated[list[Label], Field(min_length=2, max_length=1000), EachOnce]
Covariates = Annotated[dict[Label, Kind], Field(max_length=1000)]
Tasks = Annotated[dict[Identifier, TaskKind], Field(max_length=100)]  # they name folders
Intensity = Annotated[float, Field(ge=-1e12, le=1e12)]  # differences stay finite in float32
Pair = Annotated[list[Intensity], Field(min_length=2, max_length=2)]
Side = Annotated[int, Field(ge=4, le=4096)]  # voxels; pictures have up to 4096
Spacing = Annotated[float, Field(ge=1e-4, le=1e3)]  # mm, from 0.1 µm of a microscope to 1 m

# Columns of a manifest that identify a lesion or give its answer away. A model must neither read
# nor predict them.
RESERVED = (
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
    """Where the raw data of one domain is, and how its images, covariates and tasks are read."""

    path: Text
    classes: Classes
    window: Pair
    intensity: Literal["window", "percentile", "zscore"]
    channels: Literal["auto", "grey", "rgb"]
    ignore: Text | None
    patient_pattern: Text | None
    covariates: Covariates
    tasks: Tasks
    burned_in: Literal["refuse", "allow"]

    @model_validator(mode="after")
    def _check_window(self) -> "RawDomain":
        low, high = self.window
        if c_float(low).value == c_float(high).value:  # images are windowed in float32
            raise ValueError(
                f"window: got {self.window}, expected two intensities that differ in float32"
            )
        if self.intensity == "percentile" and not all(0 <= end <= 100 for end in self.window):
            raise ValueError(
                f"window: got {self.window}, expected percentiles from 0 to 100, "
                "because intensity is 'percentile'"
            )
        return self

    @model_validator(mode="after")
    def _check_columns(self) -> "RawDomain":
        for key in ("covariates", "tasks"):
            for name in getattr(self, key):
                if name in RESERVED:
                    raise ValueError(
                        f"{key}: got {name!r}, expected a column that describes the patient or "
                        f"the lesion, none of {', '.join(RESERVED)}"
                    )
        return self

    @model_validator(mode="after")
    def _check_patterns(self) -> "RawDomain":
        for key, groups, expected in (
            ("patient_pattern", 1, "with one group, around the patient"),
            ("ignore", None, "that finds the pictures to leave out"),
        ):
            pattern = getattr(self, key)
            fault = None if pattern is None else _fault_of_pattern(pattern, groups)
            if fault:
                raise ValueError(
                    f"{key}: got {shown(pattern)} ({fault}), expected null or a regular expression "
                    f"{expected}"
                )
        return self


def _fault_of_pattern(pattern: str, groups: int | None) -> str | None:
    """What is wrong with a regular expression that must have so many groups, or any number."""
    try:
        found = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return f"{found} groups" if groups not in (None, found) else None


class Preprocess(Section):
    """The grid that every patch is resampled to: voxels, and mm per voxel."""

    patch: Annotated[list[Side], Field(min_length=2, max_length=3)]
    spacing: Annotated[list[Spacing], Field(min_length=2, max_length=3)]

    @model_validator(mode="after")
    def _check_dimensions(self) -> "Preprocess":
        if len(self.patch) != len(self.spacing):
            raise ValueError(
                f"spacing: got {self.spacing}, expected as many numbers as patch has ({self.patch})"
            )
        return self
