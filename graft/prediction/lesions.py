"""Lesions of new scans, for which a model predicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Lesion:
    """A lesion of a scan, a picture, or a row of an array.

    Attributes:
        image: a file, or the folder of a DICOM series.
        position: in mm along the axes of `frame`, or a voxel index (i, j, k) from 0; None if the
            image is a picture or an array, or a mask gives the position.
        frame: `ras`, `lps` or `voxel`.
        mask: of the lesion on the grid of the scan.
        series: the number or the UID of a DICOM series, needed if the folder has several.
        segment: the number of the structure in the mask, or the label of a segment of a SEG.
        diameter_mm: of the lesion; by default that of the mask.
        covariates: values by name as text, "" for a value that is unknown.
        scan: as the user named the image; by default its path.
        line: of the manifest; None without one.
        row: of an array, such as `3` or `test:3`; "" for other images.
    """

    image: Path
    position: tuple[float, ...] | None = None
    frame: str = "ras"
    mask: Path | None = None
    series: str = ""
    segment: str = ""
    diameter_mm: float | None = None
    covariates: Mapping[str, str] = field(default_factory=dict)
    scan: str = ""
    line: int | None = None
    row: str = ""
