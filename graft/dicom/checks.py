"""Which DICOM images are read: CT in HU, MR, and PET in Bq/ml, with grey pixels that nobody wrote a name into."""

from typing import TYPE_CHECKING

from graft.common.files import InputError
from graft.dicom.datasets import numbers, whole, word

if TYPE_CHECKING:
    from pydicom import Dataset

STORAGE = "1.2.840.10008.5.1.4.1.1."  # what SOP classes of images start with (PS3.4, annex B.5)
MODALITIES = {
    STORAGE + "2": "CT",
    STORAGE + "2.1": "CT",  # enhanced: many frames in one file
    STORAGE + "2.2": "CT",  # legacy converted enhanced
    STORAGE + "4": "MR",
    STORAGE + "4.1": "MR",
    STORAGE + "4.4": "MR",
    STORAGE + "128": "PT",
}
SECONDARY_CAPTURES = (
    STORAGE + "7",
    STORAGE + "7.1",
    STORAGE + "7.2",
    STORAGE + "7.3",
    STORAGE + "7.4",
)
SCREENS = {"SCREEN SAVE", "SCREENSHOT", "SCREEN SHOT", "SCREENSAVE"}  # of ImageType
CONVERTED = {
    "DV",
    "DF",
    "WSD",
    "SD",
    "SI",
}  # of ConversionType: video, film, workstation, scanned papers and images
SCOUTS = {"LOCALIZER", "SCOUT"}  # of ImageType
LARGEST_PLANE = 4096 * 4096  # pixels of one frame


def check(dataset: "Dataset", burned_in: bool) -> None:
    """Raise InputError, with the reason, where an image is none of those that are read.

    With `burned_in`, images that a name may be written into pass too.
    """
    if not burned_in:
        _check_privacy(dataset)
    _check_kind(dataset)
    _check_pixels(dataset)


def is_scout(image_type: object) -> bool:
    """Whether an ImageType or FrameType says that the image is there to plan others on."""
    return bool(SCOUTS & _words(image_type))


def _check_privacy(dataset: "Dataset") -> None:
    made = (
        str(dataset.get("SOPClassUID", "")) in SECONDARY_CAPTURES
        or word(dataset, "ConversionType") in CONVERTED
    )
    if made or SCREENS & _words(dataset.get("ImageType")):
        found = "is a secondary capture or a screenshot"
    elif word(dataset, "BurnedInAnnotation") not in ("", "NO"):
        found = f"has the BurnedInAnnotation {word(dataset, 'BurnedInAnnotation')}"
    else:
        return
    raise InputError(
        f"{found}, which may show a name; expected none, or the domain's burned_in: allow"
    )


def _check_kind(dataset: "Dataset") -> None:
    kind, modality = str(dataset.get("SOPClassUID", "")), word(dataset, "Modality")
    meant = MODALITIES.get(kind, modality if kind in SECONDARY_CAPTURES else None)
    if meant != modality or meant not in MODALITIES.values():
        raise InputError(
            f"is no CT, MR or PET image as scanners store them, its Modality is {modality or 'not there'}"
        )
    if is_scout(dataset.get("ImageType")):
        raise InputError("is a localizer, expected slices of a volume")
    if modality == "PT" and word(dataset, "Units") != "BQML":
        raise InputError(
            f"has the Units {word(dataset, 'Units') or 'of none'}, expected BQML for PET"
        )


def _check_pixels(dataset: "Dataset") -> None:
    grey = word(dataset, "PhotometricInterpretation")
    if grey != "MONOCHROME2" or whole(dataset, "SamplesPerPixel") != 1:
        raise InputError(
            f"has the PhotometricInterpretation {grey or 'of none'}, expected MONOCHROME2"
        )
    allocated, stored = whole(dataset, "BitsAllocated"), whole(dataset, "BitsStored")
    if (
        allocated not in (8, 16, 32)
        or not 1 <= stored <= allocated
        or whole(dataset, "HighBit") != stored - 1
    ):
        raise InputError(
            f"has {stored} of {allocated} bits a pixel, the highest {whole(dataset, 'HighBit')}; "
            "expected the low ones of 8, 16 or 32"
        )
    if whole(dataset, "PixelRepresentation") not in (0, 1):
        raise InputError("has a PixelRepresentation that is neither 0 nor 1")
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    if rows < 1 or columns < 1 or rows * columns > LARGEST_PLANE:
        raise InputError(f"has {rows} x {columns} pixels, expected at most {LARGEST_PLANE}")
    if "ModalityLUTSequence" in dataset:
        raise InputError("has a ModalityLUTSequence, expected a RescaleSlope and RescaleIntercept")


def rescale(dataset: "Dataset", modality: str) -> tuple[float, float]:
    """Slope and intercept from stored values to HU or Bq/ml; for MR, which has no unit, 1 and 0 where they are missing.

    Raises InputError where they are missing, or lead to another unit.
    """
    unit = word(dataset, "RescaleType")
    if modality == "CT" and unit not in ("", "HU"):
        raise InputError(f"has the RescaleType {unit}, expected HU for CT")
    if modality == "MR" and "RescaleSlope" not in dataset and "RescaleIntercept" not in dataset:
        return 1.0, 0.0
    slope, intercept = (
        float(numbers(dataset, f"Rescale{name}", 1)[0]) for name in ("Slope", "Intercept")
    )
    if slope == 0:
        raise InputError("has a RescaleSlope of 0")
    return slope, intercept


def _words(value: object) -> set[str]:
    parts = [value] if value is None or isinstance(value, str) else value
    return {str(part).strip().upper() for part in parts}
