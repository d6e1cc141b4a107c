"""DICOM series, written by pydicom as scanners write them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
}
UNITS = {"CT": {"RescaleType": "HU"}, "MR": {}, "PT": {"Units": "BQML"}}
STUDY, SERIES, FRAME = (generate_uid(entropy_srcs=[name]) for name in ("study", "series", "frame"))
# The directions of rows, of columns, and the way up, as columns.
AXIAL = np.eye(3)


def header(modality: str, bits: int = 16, signed: bool = True) -> Dataset:
    """What the slices of a series share."""
    made = Dataset()
    made.SOPClassUID, made.Modality = CLASSES[modality], modality
    made.PatientName, made.PatientID = "Loudvoice^Gertrude^Wilhelmina", "PID-77-4711"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = STUDY, SERIES, FRAME
    made.ImageType, made.SeriesNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], 3
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    made.PixelRepresentation = int(signed)
    for name, value in UNITS[modality].items():
        setattr(made, name, value)
    return made


@pytest.fixture(scope="session")
def write_series() -> Callable[..., np.ndarray]:
    """Write a series of one file a slice; gives its values (columns, rows, slices)."""

    def write(
        folder: Path,
        modality: str = "CT",
        count: int = 6,
        size: tuple[int, int] = (12, 10),
        spacing: tuple[float, float] = (0.7, 0.8),
        turn: np.ndarray = AXIAL,
        step: np.ndarray
        | None = None,  # mm from a slice to the next, 2.5 along the normal if it is not given
        first: tuple[float, float, float] = (-30.0, -20.0, 100.0),
        rescale: Callable[[int], tuple[float, float]] = lambda k: (1, -1024),
        change: Callable[[Dataset, int], object] = lambda made, k: None,
        syntax: UID = ExplicitVRLittleEndian,
        signed: bool = True,
        is_compressed_already: bool = False,  # by `change`
    ) -> np.ndarray:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(7)
        stored = rng.integers(-200 if signed else 0, 2000, (count, *size)).astype(
            np.int16 if signed else np.uint16
        )
        stored[:, 3:6, 4:7] = 1500
        step = 2.5 * np.cross(turn[:, 0], turn[:, 1]) if step is None else step
        for k in range(count):
            made = header(modality, signed=signed)
            made.SOPInstanceUID = generate_uid(entropy_srcs=[str(folder), str(k)])
            made.InstanceNumber = (k * 5) % count + 1
            made.Rows, made.Columns = size
            made.PixelSpacing, made.SliceThickness = list(spacing), 99
            made.ImageOrientationPatient = [f"{x:.12g}"[:16] for x in (*turn[:, 0], *turn[:, 1])]
            made.ImagePositionPatient = [f"{x:.12g}"[:16] for x in np.array(first) + k * step]
            slope, intercept = rescale(k)
            made.RescaleSlope, made.RescaleIntercept = slope, intercept
            made.PixelData = stored[k].tobytes()
            made.file_meta = FileMetaDataset()
            made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            change(made, k)
            save(made, folder / f"slice-{count - k:02}.dcm", syntax, is_compressed_already)
        lines = np.array([rescale(k) for k in range(count)], float)  # (count, 2)
        return (stored * lines[:, :1, None] + lines[:, 1:, None]).T

    return write


def save(made: Dataset, path: Path, syntax: UID, is_compressed_already: bool) -> None:
    """Write a data set in a transfer syntax, compressed if that is."""
    if syntax.is_compressed and not syntax.is_deflated and not is_compressed_already:
        made.compress(syntax, generate_instance_uid=False)
    made.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_little_endian:
        made.PixelData = np.frombuffer(made.PixelData, "<u2").byteswap().tobytes()
    encoding = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
    dcmwrite(path, made, enforce_file_format=True, **encoding)
