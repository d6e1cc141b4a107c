"""What the DICOM headers of a patient have that those of no other patient have."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from graft.common.files import InputError
from graft.dicom.datasets import begins_as_dicom, read_dataset, reading_dicom
from graft.privacy.dicom_names import dicom_identifiers

# Keywords of texts that point at one person. Dates and institutions are those of others too.
KEYWORDS = ("PatientName", "PatientID", "OtherPatientIDs", "AccessionNumber")
UID = "UID"  # at the end of a keyword


def own_identifiers(files: Iterable[Path], others: Iterable[Path]) -> list[tuple[str, str]]:
    """The texts of headers that identify a patient, each with the keyword of its element.

    `others` has a file of each scan of the others. An anonymous PatientID is in all of them.
    """
    shared = {text for file in others for text, _ in _identifiers(file)}
    found = {text: keyword for file in files for text, keyword in _identifiers(file)}
    return [(text, keyword) for text, keyword in found.items() if text not in shared]


def _identifiers(file: Path) -> Iterator[tuple[str, str]]:
    try:
        if not begins_as_dicom(file):
            return
        with reading_dicom(file.parent.name):
            dataset = read_dataset(file, pixels=False)
            found = list(dicom_identifiers(dataset))
    except (InputError, OSError):  # damaged: its bytes are searched for in any case
        return
    for text, keyword in found:
        is_whole = keyword != "PatientName" or text == str(dataset.get("PatientName", ""))
        if is_whole and (keyword in KEYWORDS or keyword.endswith(UID)):
            yield text, keyword
