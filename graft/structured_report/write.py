"""Write predictions for DICOM series as Structured Reports, a file for each series."""

import datetime
from collections.abc import Sequence
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from graft.common.code import library_versions
from graft.common.files import InputError, whole_file
from graft.console import say
from graft.dicom.datasets import begins_as_dicom, reading_dicom
from graft.dicom.series import read_headers
from graft.prediction.prediction import Prediction
from graft.prediction.results import STRUCTURED_REPORTS
from graft.structured_report.content import SOFTWARE, UNKNOWN_VERSION, Source, make_content
from graft.structured_report.identifiers import make_uid

if TYPE_CHECKING:
    from highdicom.sr import Comprehensive3DSR
    from pydicom import Dataset

UTF_8 = "ISO_IR 192"
DESCRIPTION = "Research only: predictions of graft"  # of the series of reports
SERIES_NUMBER = 9000  # of reports, above those of scanners
# Elements that a report takes from the series. DICOM lets them be empty.
COPIED = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)
REQUIRED = ("StudyInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


def check_dicom(images: Sequence[Path]) -> None:
    """Raise InputError if there are images, and none of them is DICOM, or the first is missing."""
    if images and not images[0].exists():
        raise InputError(f"{images[0]}: is missing, expected a DICOM series")
    if images and not any(map(_is_dicom, images)):
        raise InputError(
            f"--sr: {images[0]} is not DICOM, expected a DICOM series, whose patient and study the "
            "report is for"
        )


def write_structured_reports(
    folder: Path, predictions: Sequence[Prediction], when: datetime.datetime | None = None
) -> list[Path]:
    """Write a report for each DICOM series. A series without a report is one printed line.

    Patient and study are copied from the series, because a report goes back to its archive. With
    the same `when`, a report has the same bytes.

    Args:
        folder: gets the files `sr/0001.dcm` and so on, in the order of the series.
        predictions: by one model. Those for other scans than DICOM get no report.
        when: the date and time of the content; now by default.

    Returns:
        The files.
    """
    by_series: dict[tuple[Path, str], list[Prediction]] = {}
    for prediction in predictions:
        lesion = prediction.lesion
        by_series.setdefault((lesion.image, lesion.series), []).append(prediction)
    written: list[Path] = []
    for (image, series), group in by_series.items():
        if not _is_dicom(image):
            say(f"{image}: gets no Structured Report, because it is not DICOM")
            continue
        path = folder / STRUCTURED_REPORTS / f"{len(written) + 1:04}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_report(path, image, series, group, when or datetime.datetime.now())
        except InputError as error:
            say(f"{error}; it gets no Structured Report")
            continue
        written.append(path)
    return written


def _is_dicom(image: Path) -> bool:
    return image.is_dir() or (image.is_file() and begins_as_dicom(image))


def _write_report(
    path: Path,
    image: Path,
    series: str,
    predictions: Sequence[Prediction],
    when: datetime.datetime,
) -> None:
    headers, affine = read_headers(image, series)
    with reading_dicom(f"{image}:"):
        evidence = [_complete(header) for header in headers]
        first = evidence[0]
        source = Source(
            series_uid=str(first.SeriesInstanceUID),
            frame_of_reference=str(first.FrameOfReferenceUID),
            modality=str(first.Modality),
            affine=affine,
        )
        report = _make_report(source, evidence, predictions, when)
        content = BytesIO()  # pydicom shows values of the header in its warnings, but not in here
        report.save_as(content, enforce_file_format=True)
    with whole_file(path) as partial:
        partial.write_bytes(content.getvalue())


def _complete(header: "Dataset") -> "Dataset":
    """A copy of a header that has all elements which a report copies, empty if it had none."""
    for name in REQUIRED:
        if not header.get(name):
            raise InputError(f"has no {name}, which a Structured Report names")
    complete = deepcopy(header)
    for name in COPIED:
        if name not in complete:
            setattr(complete, name, "")
    return complete


def _make_report(
    source: Source,
    evidence: Sequence["Dataset"],
    predictions: Sequence[Prediction],
    when: datetime.datetime,
) -> "Comprehensive3DSR":
    from highdicom.sr import Comprehensive3DSR

    from graft.structured_report.codes import SCHEMES

    version = library_versions([SOFTWARE])[SOFTWARE] or UNKNOWN_VERSION
    model = predictions[0].model
    documents = [prediction.document() for prediction in predictions]
    for document in documents:
        del document["scan"]  # a name on this machine
    report = Comprehensive3DSR(
        evidence=evidence,
        content=make_content(source, predictions, version)[0],
        series_instance_uid=make_uid("series", model, source.series_uid),
        series_number=SERIES_NUMBER,
        sop_instance_uid=make_uid("report", source.series_uid, documents, when.isoformat()),
        instance_number=1,
        manufacturer=SOFTWARE,
        is_complete=True,
        coding_schemes=SCHEMES,
        series_description=DESCRIPTION,
        manufacturer_model_name=SOFTWARE,
        software_versions=version,
        device_serial_number=model,
        content_date=when.date(),
        content_time=when.time(),
        series_date=when.date(),
        series_time=when.time(),
        specific_character_set=UTF_8,  # for names of classes too
    )
    _set_creation(report, when)
    return report


def _set_creation(report: "Dataset", when: datetime.datetime) -> None:
    """Replace the time of this moment, which highdicom writes."""
    report.InstanceCreationDate = report.ContentDate
    report.InstanceCreationTime = report.ContentTime
    for equipment in report.ContributingEquipmentSequence:
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = when
