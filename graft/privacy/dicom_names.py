"""What identifies a patient in a DICOM header."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

STANDARD_UIDS = "1.2.840.10008."  # what UIDs of the standard itself start with, as SOP classes
MANUFACTURER_UIDS = {"ImplementationClassUID", "DeviceUID"}
# Value representations (PS3.5, 6.2).
FREE_TEXT = {"LT", "ST", "UT"}
DATES = {"DA", "DT"}
# Keywords of short texts that name a person or a place, or that may contain anything.
IDENTIFYING_PARTS = (
    "PatientID",
    "Address",
    "Telephone",
    "Institution",
    "Department",
    "StationName",
    "AccessionNumber",
    "StudyID",
    "Description",
    "Comment",
    "Occupation",
    "MilitaryRank",
    "AdmissionID",
    "ProcedureID",
    "ProcedureStepID",
    "SerialNumber",
    "Insurance",
    "Residence",
    "Title",
)
NAME_SEPARATORS = re.compile(r"[\^=,;\s]+")


def dicom_identifiers(dataset: "Dataset") -> Iterator[tuple[str, str]]:
    """Yield each text that identifies a person, with the keyword of its element.

    These are names as a whole and in parts, IDs, dates and UIDs. Elements in sequences count too.
    Private elements do not, because nothing describes their content.
    """
    for element in dataset.iterall():
        if element.VR == "SQ" or not element.keyword or element.value is None:
            continue
        values = element.value if element.VM > 1 else [element.value]
        for value in values:
            for text in _identifying_texts(element.VR, element.keyword, str(value)):
                yield text, element.keyword


def _identifying_texts(representation: str, keyword: str, value: str) -> list[str]:
    if representation == "PN":
        return [value, *NAME_SEPARATORS.split(value)]
    if representation in DATES:
        return [value[: len("YYYYMMDD")]]
    if representation == "UI":
        is_public = value.startswith(STANDARD_UIDS) or keyword in MANUFACTURER_UIDS
        return [] if is_public else [value]
    is_identifying = any(part in keyword for part in IDENTIFYING_PARTS)
    return [value] if is_identifying or representation in FREE_TEXT else []
