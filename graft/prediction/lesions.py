"""Lesions of new scans, for which a model predicts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graft.common.files import InputError
from graft.common.shown import shown
from graft.ingest.rows import FRAMES, MAX_NUMBER
from graft.pictures.picture_files import is_picture
from graft.scans.lesion import LesionRow


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
        patient: a key that lesions of one patient share, not their name; "" if it is not needed.
        known: the class, as the user knows it; "" if unknown.
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
    patient: str = ""
    known: str = ""

    @property
    def name(self) -> str:
        """What messages call it: the scan, and where in a manifest or an array it is."""
        name = self.scan or str(self.image)
        if self.row:
            return f"{name}:{self.row}"
        return name if self.line is None else f"{name} (line {self.line})"

    def as_row(self) -> LesionRow:
        """The lesion as a row of a manifest, without a label and a patient."""
        return LesionRow(
            line=self.line or 0,
            patient="",
            image=self.image,
            label="",
            position=self.position,
            frame=self.frame,
            mask=self.mask,
            diameter_mm=self.diameter_mm,
            site="",
            split="",
            series=self.series,
            segment=self.segment,
        )


def check_place(lesion: Lesion) -> None:
    """Check that a lesion says where it is, if its image is a scan, and only then.

    Raises:
        InputError: if it does not, or if a number cannot be used.
    """
    if lesion.frame not in FRAMES:
        raise InputError(f"frame: got {shown(lesion.frame)}, expected {', '.join(FRAMES)}")
    position = lesion.position
    if position is not None:
        is_point = len(position) == 3 and all(abs(number) <= MAX_NUMBER for number in position)
        if not is_point:  # true for NaN too
            raise InputError(
                f"position: got {shown(position)}, expected three numbers, at most "
                f"{MAX_NUMBER:g} either way"
            )
    diameter = lesion.diameter_mm
    if diameter is not None and not 0 < diameter < math.inf:
        raise InputError(f"diameter: got {diameter} mm, expected more than 0")
    has_place = position is not None or lesion.mask is not None
    needs_place = not lesion.row and not is_picture(lesion.image)
    if has_place and not needs_place:
        raise InputError("is a picture or an array, expected no position or mask")
    if needs_place and not has_place:
        raise InputError("is a scan, expected the position of the lesion in it, or its mask")
