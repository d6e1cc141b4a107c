"""The geometry of scans and the shares of the sites."""

import nibabel
import numpy as np
import pandas as pd
import pytest

OFF_DIAGONAL = ~np.eye(3, dtype=bool)


def test_orientations_vary(many_patients):
    codes = set()
    for patient in many_patients:
        codes.add("".join(nibabel.aff2axcodes(patient.scan.affine)))
    assert codes == {"RAS", "LPS", "LAS"}


def test_some_scans_are_tilted(many_patients):
    tilted = []
    for patient in many_patients:
        rotation = np.abs(patient.scan.affine[:3, :3])
        tilted.append(rotation[OFF_DIAGONAL].max() > 0.01)
    assert np.mean(tilted) > 0.3
    assert np.mean(tilted) < 0.5


def test_the_affine_has_the_spacing_of_the_scan(many_patients):
    spacings = set()
    for patient in many_patients:
        sizes = nibabel.affines.voxel_sizes(patient.scan.affine)
        np.testing.assert_allclose(sizes, patient.scan.spacing)
        spacings.add(patient.scan.spacing)
    assert len(spacings) > 10


def test_sites_differ_in_share_noise_and_contrast(many_patients):
    is_mr = many_patients[0].organ == "liver_mr"
    rows = []
    for patient in many_patients:
        scan = patient.scan
        if is_mr:
            rows.append((scan.site, scan.noise, scan.te_ms))
        else:
            rows.append((scan.site, scan.noise_hu, scan.enhancement))
    table = pd.DataFrame(rows, columns=["site", "noise", "contrast"])
    shares = table["site"].value_counts(normalize=True)
    assert shares["site-a"] == pytest.approx(0.7, abs=0.06)
    a = table[table["site"] == "site-a"]
    b = table[table["site"] == "site-b"]
    assert b["noise"].min() > a["noise"].max()
    assert b["contrast"].max() < a["contrast"].min()
