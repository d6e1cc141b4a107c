"""Two patients of a manifest who share a scan or a PatientID."""

import csv
import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from pydicom import Dataset

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.grids.grid import Grid
from tests.raw import read_domain

GRID = Grid((4, 4, 4), (1.0, 1.0, 1.0), (-2000.0, 2000.0))
Identity = tuple[str, str]  # SeriesInstanceUID and PatientID
REAL = [("1.2.3", "HOSP-1"), ("1.2.4", "HOSP-2"), ("1.2.5", "HOSP-3"), ("1.2.6", "HOSP-4")]


def write_manifest(folder: Path, images: list[str], sites: str = "aaaa") -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient", "image", "label", "site", "frame", "x", "y", "z"))
        for number, (image, site) in enumerate(zip(images, sites, strict=False)):
            label = ("benign", "malignant")[number % 2]
            table.writerow((f"Thunderclap {number}", image, label, site, "voxel", 5, 5, 3))


def read(folder: Path) -> Domain:
    return read_domain(folder, "lung", ["benign", "malignant"], GRID)


def assert_refused(folder: Path, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(folder)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert "HOSP" not in text
    assert "Thunderclap" not in text


@pytest.fixture
def write_patients(tmp_path, write_series) -> Callable[..., Path]:
    """Write a domain of DICOM series, one per patient, with the identities that are given."""

    def write(identities: list[Identity], same_pixels: bool = False, sites: str = "aaaa") -> Path:
        for number, (series, patient) in enumerate(identities):

            def identify(
                made: Dataset, k: int, number=number, series=series, patient=patient
            ) -> None:
                made.SeriesInstanceUID, made.PatientID = series, patient
                if not same_pixels:
                    pixels = np.frombuffer(made.PixelData, "<i2")
                    made.PixelData = np.roll(pixels, 17 * number).tobytes()

            write_series(tmp_path / f"ct{number}", change=identify)
        write_manifest(tmp_path, [f"ct{number}" for number in range(len(identities))], sites)
        return tmp_path

    return write


def test_different_patients_are_read_without_a_message(write_patients, capsys):
    assert len(read(write_patients(REAL)).index) == 4
    assert "PatientID" not in capsys.readouterr().out


def test_one_series_of_two_patients_is_refused(write_patients):
    folder = write_patients([*REAL[:3], (REAL[1][0], "HOSP-9")])
    assert_refused(
        folder, "manifest.csv:5: ct3 has the SeriesInstanceUID of a scan of another patient, on li"
    )


def test_a_series_that_was_anonymised_twice_is_refused(write_patients):
    assert_refused(write_patients(REAL, same_pixels=True), "csv:3: ct1 has the voxels of a scan of")


@pytest.mark.parametrize("patient", ["HOSP-2", "hosp-2", " HOSP-2 "])
def test_one_person_with_two_names_is_refused(write_patients, patient):
    folder = write_patients([*REAL[:3], ("1.2.6", patient)])
    assert_refused(
        folder,
        "csv:5: ct3 has the PatientID of a scan of another patient, on line 3, "
        "expected one patient per person (for two people with one number, fill the column site)",
    )


def test_two_people_of_two_sites_may_have_one_number(write_patients):
    folder = write_patients([*REAL[:3], ("1.2.6", "HOSP-2")], sites="aaab")
    assert len(read(folder).index) == 4


@pytest.mark.parametrize(
    ("patients", "count"),
    [
        (["ANONYMOUS"] * 4, 4),
        (["4711"] * 4, 4),
        (["0", "0", "0", "HOSP-4"], 3),
        (["", "", "HOSP-3", "HOSP-4"], 0),
        (["Anon", "HOSP-2", "HOSP-3", "HOSP-4"], 0),
    ],
)
def test_a_constant_patient_id_is_reported_once_if_series_differ(
    write_patients, capsys, patients, count
):
    series = [series for series, _ in REAL]
    assert len(read(write_patients(list(zip(series, patients, strict=True)))).index) == 4
    printed = [line for line in capsys.readouterr().out.splitlines() if "PatientID" in line]
    assert len(printed) == bool(count)
    if count:
        assert f"manifest.csv: {count} patients have the same PatientID in DICOM" in printed[0]


def test_slices_of_two_patients_are_refused(tmp_path, write_series):
    def change(made: Dataset, k: int) -> None:
        made.PatientID = f"HOSP-{k % 2}"

    write_series(tmp_path / "ct0", change=change)
    write_manifest(tmp_path, ["ct0"])
    assert_refused(tmp_path, "ct0: its slices have 2 PatientIDs, expected one")


def write_nifti(path: Path, voxels: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), path)


def plain_copy(scan: Path, copy: Path) -> None:
    copy.write_bytes(gzip.decompress(scan.read_bytes()))


def other_position(scan: Path, copy: Path) -> None:
    image = nibabel.load(scan)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), 2 * np.eye(4)), copy)


def big_endian(scan: Path, copy: Path) -> None:
    image = nibabel.load(scan)
    swapped = nibabel.Nifti1Header(endianness=">")
    swapped.set_data_dtype(">i2")
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), np.eye(4), swapped), copy)


def nrrd(scan: Path, copy: Path) -> None:
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(scan)), str(copy))


COPIES = {
    "copy.nii.gz": shutil.copyfile,
    "copy.nii": plain_copy,
    "moved.nii.gz": other_position,
    "swapped.nii": big_endian,
    "copy.nrrd": nrrd,
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_a_scan_of_another_patient_is_refused(tmp_path, name):
    rng = np.random.default_rng(0)
    for number in range(2):
        write_nifti(tmp_path / f"{number}.nii.gz", rng.integers(0, 99, (8, 9, 7), np.int16))
    write_manifest(tmp_path, ["0.nii.gz", "1.nii.gz"])
    assert len(read(tmp_path).index) == 2
    COPIES[name](tmp_path / "1.nii.gz", tmp_path / name)
    write_manifest(tmp_path, ["0.nii.gz", "1.nii.gz", name])
    assert_refused(tmp_path, f"csv:4: {name} has the voxels of a scan of another patient, on lin")
