"""Which DICOM images are read: CT in HU, MR and PET in Bq/ml, in grey, without burned-in names."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graft.common.files import InputError
from graft.dicom.elements import read_code, read_integer, read_numbers

if TYPE_CHECKING:
    from pydicom import Dataset

    from graft.dicom.elements import Elements

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
# Values of ImageType.
SCREENSHOTS = {"SCREEN SAVE", "SCREENSHOT", "SCREEN SHOT", "SCREENSAVE"}
LOCALIZERS = {"LOCALIZER", "SCOUT"}
# Values of ConversionType: video, film, workstation, scanned documents and scanned images.
CONVERTED = {"DV", "DF", "WSD", "SD", "SI"}
BITS_ALLOCATED = (8, 16, 32)
MAX_PLANE = 4096 * 4096  # pixels of one frame


def check_image(dataset: "Dataset", burned_in: bool) -> None:
    """Raise InputError with the reason if graft cannot read an image correctly.

    `burned_in` also allows images that may show a name in their pixels.
    """
    if not burned_in:
        _check_burned_in(dataset)
    _check_kind(dataset)
    _check_pixel_format(dataset)


def is_localizer(image_type: object) -> bool:
    """Whether an ImageType or FrameType is that of an image for planning others."""
    return bool(LOCALIZERS & _words(image_type))


def read_rescale(values: "Elements", modality: str) -> tuple[float, float]:
    """Slope and intercept from stored values to HU or Bq/ml.

    MR has no unit: without a rescale they are 1 and 0.

    Raises InputError if they are missing or lead to another unit.
    """
    unit = read_code(values, "RescaleType")
    if modality == "CT" and unit not in ("", "HU"):
        raise InputError(f"has the RescaleType {unit}, expected HU for CT")
    if modality == "MR" and "RescaleSlope" not in values and "RescaleIntercept" not in values:
        return 1.0, 0.0
    slope = float(read_numbers(values, "RescaleSlope", 1)[0])
    intercept = float(read_numbers(values, "RescaleIntercept", 1)[0])
    if slope == 0:
        raise InputError("has a RescaleSlope of 0")
    return slope, intercept


def _check_burned_in(dataset: "Dataset") -> None:
    is_capture = str(dataset.get("SOPClassUID", "")) in SECONDARY_CAPTURES
    is_converted = read_code(dataset, "ConversionType") in CONVERTED
    is_screenshot = bool(SCREENSHOTS & _words(dataset.get("ImageType")))
    annotation = read_code(dataset, "BurnedInAnnotation")
    if is_capture or is_converted or is_screenshot:
        found = "is a secondary capture or a screenshot"
    elif annotation not in ("", "NO"):
        found = f"has the BurnedInAnnotation {annotation}"
    else:
        return
    raise InputError(
        f"{found}, which may show a name; expected none, or the domain's burned_in: allow"
    )


def _check_kind(dataset: "Dataset") -> None:
    sop_class = str(dataset.get("SOPClassUID", ""))
    modality = read_code(dataset, "Modality")
    if sop_class in SECONDARY_CAPTURES:
        is_known = modality in MODALITIES.values()
    else:
        is_known = MODALITIES.get(sop_class) == modality
    if not is_known:
        raise InputError(
            "is no CT, MR or PET image as scanners store them, "
            f"its Modality is {modality or 'missing'}"
        )
    if is_localizer(dataset.get("ImageType")):
        raise InputError("is a localizer, expected slices of a volume")
    units = read_code(dataset, "Units")
    if modality == "PT" and units != "BQML":
        raise InputError(f"has {_given('Units', units)}, expected BQML for PET")


def _check_pixel_format(dataset: "Dataset") -> None:
    grey = read_code(dataset, "PhotometricInterpretation")
    if grey != "MONOCHROME2" or read_integer(dataset, "SamplesPerPixel") != 1:
        raise InputError(f"has {_given('PhotometricInterpretation', grey)}, expected MONOCHROME2")
    allocated = read_integer(dataset, "BitsAllocated")
    stored = read_integer(dataset, "BitsStored")
    highest = read_integer(dataset, "HighBit")
    if allocated not in BITS_ALLOCATED or not 1 <= stored <= allocated or highest != stored - 1:
        raise InputError(
            f"has {stored} of {allocated} bits per pixel, the highest {highest}; "
            "expected the low ones of 8, 16 or 32"
        )
    if read_integer(dataset, "PixelRepresentation") not in (0, 1):
        raise InputError("has a PixelRepresentation that is neither 0 nor 1")
    rows = read_integer(dataset, "Rows")
    columns = read_integer(dataset, "Columns")
    if rows < 1 or columns < 1 or rows * columns > MAX_PLANE:
        raise InputError(f"has {rows} x {columns} pixels, expected at most {MAX_PLANE}")
    if "ModalityLUTSequence" in dataset:
        raise InputError("has a ModalityLUTSequence, expected a RescaleSlope and RescaleIntercept")


def _given(name: str, value: str) -> str:
    return f"the {name} {value}" if value else f"no {name}"


def _words(value: object) -> set[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return {str(value).strip().upper()}
    return {str(part).strip().upper() for part in value}
