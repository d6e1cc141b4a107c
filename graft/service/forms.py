"""The fields of requests. Their documentation is in /openapi.json."""

import json
from typing import Annotated, Any, Literal

from fastapi import Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Number = Annotated[float | None, Field(allow_inf_nan=False)]
Short = Annotated[str, Field(max_length=100)]
SCAN = (
    "NIfTI (.nii, .nii.gz), NRRD, MetaImage (.mha), one DICOM file or a picture; or a zip with a "
    "DICOM series, or with a header (.mhd, .nhdr) and its data file."
)


class SlicesForm(BaseModel):
    """What `POST /slices` reads."""

    model_config = ConfigDict(extra="forbid")

    scan: UploadFile = Field(description=SCAN)
    series: Short = Field("", description="The number or UID of a DICOM series, if there are more.")
    window: Literal["model", "full"] = Field(
        "model", description="The window of the model, or the whole range of intensities."
    )


class PredictForm(BaseModel):
    """What `POST /predict` reads."""

    model_config = ConfigDict(extra="forbid")

    scan: UploadFile = Field(description=SCAN)
    x: Number = Field(None, description="Position of the lesion; without a mask, x, y and z.")
    y: Number = None
    z: Number = None
    frame: Literal["ras", "lps", "voxel"] = Field(
        "ras", description="Axes of the position: mm in RAS+ or LPS+, or an index from 0."
    )
    mask: UploadFile | None = Field(None, description="A mask of the lesion on the scan's grid.")
    segment: Short = Field("", description="Which structure of the mask is the lesion.")
    diameter_mm: Number = Field(None, description="Of the lesion, if the model reads it.")
    series: Short = Field("", description="The number or UID of a DICOM series, if there are more.")
    covariates: dict[str, str] = Field({}, description='As JSON, such as {"age": 61}.')
    point: Literal["sensitivity", "specificity"] = Field(
        "sensitivity", description="The operating point that decides the class."
    )
    explain: bool = Field(
        False, description="Whether to return a map of where the model looked, for a volume."
    )

    @field_validator("covariates", mode="before")
    @classmethod
    def _parse(cls, text: Any) -> Any:
        if not isinstance(text, str):
            return text
        try:
            found = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            raise ValueError("expected a JSON object") from None
        if not isinstance(found, dict):
            raise ValueError("expected a JSON object")
        return {name: _as_text(name, value) for name, value in found.items()}

    @model_validator(mode="after")
    def _check_position(self) -> "PredictForm":
        if len({value is None for value in (self.x, self.y, self.z)}) > 1:
            raise ValueError("expected x, y and z together")
        return self

    @property
    def position(self) -> tuple[float, float, float] | None:
        """Where the lesion is, if the request says so."""
        if self.x is None or self.y is None or self.z is None:
            return None
        return self.x, self.y, self.z


def _as_text(name: str, value: Any) -> str:
    """A covariate as a cell of a table has it: null is an empty one."""
    if isinstance(value, bool | list | dict):
        raise ValueError(f"{name}: expected a number or text")
    return "" if value is None else str(value)


MULTIPART = Form(media_type="multipart/form-data")
