"""A lesion of a scan or a picture, as a row of a manifest describes it."""

from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class LesionRow:
    """One lesion.

    Its `position` is in mm along the axes of `frame`, or a voxel index (i, j, k) from 0. It is
    None if the image is a picture or a mask gives the position.
    """

    line: int
    patient: str
    image: Path
    label: str
    position: tuple[float, ...] | None
    frame: str
    mask: Path | None
    diameter_mm: float | None
    site: str
    split: str
    series: str  # of DICOM: the number or the UID of the series that is meant
    segment: str  # of a mask: its number, or its label in a DICOM SEG; "" if there is only one

    @property
    def origin(self) -> str:
        """The place of the row in errors and in index.csv."""
        return f"{MANIFEST}:{self.line}"
