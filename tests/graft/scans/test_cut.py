"""Scans whose files change, or stop changing, while they are read."""

import csv
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from graft.common.files import InputError
from graft.grids.grid import Grid
from graft.scans import cut, files
from tests.raw import read_domain

GRID = Grid((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 1.0))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A domain of two patients whose scans were written just now."""
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("patient", "image", "label", "x", "y", "z"))
        for number, label in enumerate(("benign", "malignant")):
            voxels = np.random.default_rng(number).random((8, 8, 8), np.float32)
            nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / f"{number}.nii")
            table.writerow((f"patient {number}", f"{number}.nii", label, 4, 4, 4))
    return tmp_path


@pytest.fixture
def meanwhile(monkeypatch) -> Callable[[Callable[[], object]], None]:
    """Have something happen after the patches of a scan were cut."""

    def arrange(happen: Callable[[], object]) -> None:
        cut_lesions = cut._cut_lesions

        def cut_and_happen(*values: object) -> object:
            found = cut_lesions(*values)
            happen()
            return found

        monkeypatch.setattr(cut, "_cut_lesions", cut_and_happen)

    return arrange


def test_a_scan_that_was_written_a_moment_before_has_not_changed(folder, meanwhile, monkeypatch):
    monkeypatch.setattr(files, "SETTLED_S", 1000.0)
    meanwhile(lambda: monkeypatch.setattr(files, "SETTLED_S", -1.0))  # as if time had passed
    assert len(read_domain(folder, "lung", ["benign", "malignant"], GRID).index) == 2


@pytest.mark.parametrize("settled", [-1.0, 1000.0])
def test_a_scan_that_changes_while_it_is_read_is_refused(folder, meanwhile, monkeypatch, settled):
    monkeypatch.setattr(files, "SETTLED_S", settled)
    scan = folder / "0.nii"
    meanwhile(lambda: scan.write_bytes(scan.read_bytes()[:-4] + b"1234"))
    with pytest.raises(InputError, match=r"manifest.csv:2: .*0.nii: changed while it was read"):
        read_domain(folder, "lung", ["benign", "malignant"], GRID)
