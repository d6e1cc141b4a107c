"""What identifies a patient in a DICOM header, gathered so that it can be looked for elsewhere."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom import Dataset

PUBLIC_UIDS = "1.2.840.10008."  # of the standard itself, as SOP classes
MAKERS = {"ImplementationClassUID", "DeviceUID"}
FREE_TEXT = {"LT", "ST", "UT"}  # value representations
DATES = {"DA", "DT"}
TEXTS = re.compile(  # keywords of short texts that name somebody or some place, or say what nobody can foresee
    r".*(PatientID|Address|Telephone|Institution|Department|StationName|AccessionNumber|StudyID|Description|Comment"
    r"|Occupation|MilitaryRank|AdmissionID|ProcedureID|ProcedureStepID|SerialNumber|Insurance|Residence|Title).*"
)


def identifiers(dataset: "Dataset") -> Iterator[tuple[str, str]]:
    """Each text that identifies somebody, with the keyword of its element: names whole and in parts, IDs, dates, UIDs.

    Elements in sequences count too, private ones do not, as nothing says what they are.
    """
    for element in dataset.iterall():
        if element.VR == "SQ" or not element.keyword or element.value is None:
            continue
        for value in element.value if element.VM > 1 else [element.value]:
            for text in _texts(element.VR, element.keyword, str(value)):
                yield text, element.keyword


def _texts(kind: str, keyword: str, value: str) -> list[str]:
    if kind == "PN":
        return [value, *re.split(r"[\^=,;\s]+", value)]
    if kind in DATES:
        return [value[:8]]
    if kind == "UI":
        return [] if value.startswith(PUBLIC_UIDS) or keyword in MAKERS else [value]
    return [value] if kind in FREE_TEXT or TEXTS.fullmatch(keyword) else []
