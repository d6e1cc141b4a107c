"""Cohorts: drawn without voxels if that is enough, rendered small otherwise."""

import hashlib
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from graft.common.seeds import generator
from graft.phantom.cohort import (
    COLUMNS,
    Patient,
    draw_patient,
    manifest_rows,
    render_patient,
    size_auroc,
    write_cohort,
)
from graft.phantom.lesion import Lesion
from graft.phantom.scan import Scan
from graft.phantom.traits import TRAITS

SEED = 5
TILT = 0.02  # an affine with a larger off-diagonal element is tilted


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "lung"
    write_cohort(folder, "lung", patients=6, seed=SEED, sequential=True)
    return folder


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        found[path.name] = hashlib.sha256(content).hexdigest()
    return found


def draw_tilted_patient(organ: str) -> Patient:
    for number in range(50):
        patient = draw_patient(SEED, organ, number)
        if abs(patient.scan.affine[0, 1]) > TILT:
            return patient
    raise AssertionError("none of 50 scans is tilted")


def distances_from(position: list[float], scan: Scan) -> np.ndarray:
    """The distance of each voxel from a position in mm in RAS+: (X, Y, Z) mm."""
    indices = np.indices(scan.shape).reshape(3, -1)
    points = scan.affine[:3, :3] @ indices + scan.affine[:3, 3:]
    offsets = points - np.array(position)[:, None]
    return np.linalg.norm(offsets, axis=0).reshape(scan.shape)


def test_the_bytes_do_not_depend_on_the_number_of_processes(cohort, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFT_WORKERS", "2")
    write_cohort(tmp_path / "lung", "lung", patients=6, seed=SEED)
    assert digests(tmp_path / "lung") == digests(cohort)


def test_another_seed_gives_other_voxels(cohort, tmp_path):
    write_cohort(tmp_path / "lung", "lung", patients=1, seed=SEED + 1, sequential=True)
    name = "lung-0001.nii.gz"
    assert digests(tmp_path / "lung")[name] != digests(cohort)[name]


def test_a_patient_is_the_same_in_a_larger_cohort(cohort, tmp_path):
    write_cohort(tmp_path / "lung", "lung", patients=2, seed=SEED, sequential=True)
    name = "lung-0002.nii.gz"
    assert digests(tmp_path / "lung")[name] == digests(cohort)[name]


def test_a_failed_run_leaves_the_previous_cohort(tmp_path):
    folder = tmp_path / "kidney"  # an organ without a phantom
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(KeyError):
        write_cohort(folder, "kidney", patients=1, seed=SEED, sequential=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["kidney", "old"]


def test_every_lesion_of_the_manifest_is_inside_its_volume(cohort):
    manifest = pd.read_csv(cohort / "manifest.csv")
    assert tuple(manifest.columns) == COLUMNS
    assert not manifest.isna().any().any()
    assert set(manifest["label"]) <= {"benign", "malignant"}
    for lesion in manifest.itertuples():
        image = nibabel.load(cohort / lesion.image)
        to_index = np.linalg.inv(image.affine)
        index = to_index @ (lesion.x, lesion.y, lesion.z, 1)
        last_index = np.array(image.shape) - 1
        assert (index[:3] > 0).all()
        assert (index[:3] < last_index).all()


def test_volumes_are_int16_and_both_affines_agree(cohort):
    for path in cohort.glob("*.nii.gz"):
        image = nibabel.load(path)
        assert image.get_data_dtype() == np.int16
        assert image.header["sform_code"] == 1
        assert image.header["qform_code"] == 1
        np.testing.assert_allclose(image.get_qform(), image.affine, atol=1e-3)


@pytest.mark.parametrize("organ", ["lung", "liver"])
def test_a_lesion_is_where_the_manifest_places_it(organ):
    # A smooth, sharp, solid lesion in a tilted scan: it has its own HU at its centre, and does not
    # change the organ two radii away.
    patient = draw_tilted_patient(organ)
    first = patient.lesions[0]
    traits = dict.fromkeys(TRAITS[organ], 0.0)
    traits |= {"diameter": 16.0, "edge": 0.5, "density": 40.0}
    lesion = Lesion(first.label, first.centre, traits)
    scan = replace(patient.scan, noise_hu=1.0)
    healthy = replace(patient, scan=scan, lesions=())
    diseased = replace(patient, scan=scan, lesions=(lesion,))
    before = render_patient(healthy, generator(SEED, "test")).astype(float)
    after = render_patient(diseased, generator(SEED, "test")).astype(float)

    _, _, _, *position, _, _ = manifest_rows(diseased)[0]
    distance = distances_from(position, scan)
    inside = distance < 4
    beyond = distance > 16
    # Lung: 40 HU. Liver: 60 + 45 * enhancement - 40 HU.
    expected = 40.0 if organ == "lung" else 20 + 45 * scan.enhancement
    change = np.abs(after - before)
    assert after[inside].mean() == pytest.approx(expected, abs=4)
    assert change[beyond].mean() < 5
    assert change[inside].mean() > 5


def test_size_alone_does_not_separate_the_classes(many_patients):
    rows = []
    for patient in many_patients:
        rows += manifest_rows(patient)
    manifest = pd.DataFrame(rows, columns=COLUMNS)
    auroc = size_auroc(manifest)
    assert auroc > 0.55
    assert auroc < 0.7
    assert manifest["diameter_mm"].between(8, 24).all()


def test_size_auroc_by_hand():
    # Of four pairs, malignant 9 exceeds both benign ones, malignant 5 exceeds 3 and ties with 5.
    rows = [("benign", 3), ("benign", 5), ("malignant", 5), ("malignant", 9)]
    manifest = pd.DataFrame(rows, columns=["label", "diameter_mm"])
    assert size_auroc(manifest) == 3.5 / 4


def test_lesions_of_a_patient_do_not_overlap(many_patients):
    pairs = 0
    for patient in many_patients:
        for number, one in enumerate(patient.lesions):
            for other in patient.lesions[:number]:
                distance = np.linalg.norm(one.centre - other.centre)
                assert distance > one.radius + other.radius
                pairs += 1
    assert pairs > 100


def test_patients_have_one_to_three_lesions(many_patients):
    counts = np.array([len(patient.lesions) for patient in many_patients])
    assert counts.min() == 1
    assert counts.max() == 3
    share_with_several = (counts > 1).mean()
    assert share_with_several > 0.25
    assert share_with_several < 0.35


def test_lesions_are_inside_the_body(many_patients):
    for patient in many_patients:
        for lesion in patient.lesions:
            assert patient.wall.depth(*lesion.centre) < 0
