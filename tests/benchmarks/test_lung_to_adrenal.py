"""Real data as raw domains."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.lung_to_adrenal import (
    ADRENAL,
    NODULES,
    VOLUMES,
    write_parameters,
    write_raw_domains,
)
from graft.common.files import InputError
from graft.config.parameters import load_parameters

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path) -> Path:
    """The folder of the data with three nodules of two patients."""
    folder = tmp_path / "data"
    for file in (VOLUMES, NODULES, ADRENAL):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    volumes = np.zeros((3, 32, 32, 32), np.float32)
    malignant = np.array([0, 1, 1])
    np.savez(
        folder / VOLUMES, volumes=volumes, malignant=malignant, nodule_index=np.array([7, 3, 5])
    )
    nodules = pd.DataFrame(
        {
            "nodule_index": [3, 5, 7],
            "lidc_patient_id": ["LIDC-1", None, "LIDC-1"],
            "exam_id": ["a", "b", "a"],
            "malignant": [1, 1, 0],
        }
    )
    nodules.to_csv(folder / NODULES, index=False)
    (folder / ADRENAL).write_bytes(b"adrenal")
    return folder


def test_an_unnamed_patient_is_named_after_the_exam(data, tmp_path):
    write_raw_domains(data, tmp_path / "raw")
    assert np.load(tmp_path / "raw/lung/groups.npy").tolist() == ["LIDC-1", "LIDC-1", "exam b"]
    assert np.load(tmp_path / "raw/lung/labels.npy").tolist() == [0, 1, 1]
    assert (tmp_path / "raw/adrenal/adrenalmnist3d.npz").read_bytes() == b"adrenal"


def test_labels_that_disagree_are_an_error(data, tmp_path):
    nodules = pd.read_csv(data / NODULES)
    nodules.assign(malignant=0).to_csv(data / NODULES, index=False)
    with pytest.raises(InputError, match="column malignant differs from volumes_1mm_32.npz"):
        write_raw_domains(data, tmp_path / "raw")


def test_missing_data_is_an_error(tmp_path):
    with pytest.raises(InputError, match="volumes_1mm_32.npz: is missing; name the folder"):
        write_raw_domains(tmp_path, tmp_path / "raw")


@pytest.mark.parametrize("learning_curve", [None, {"shares": [0.1], "draws": 2}])
def test_the_parameters_are_allowed(tmp_path, learning_curve):
    path = tmp_path / "params.yaml"
    shutil.copyfile(ROOT / "params.yaml", path)
    write_parameters(path, labelled=0.1, weight=0.5, learning_curve=learning_curve)
    parameters = load_parameters(path)
    assert (parameters.source, parameters.target) == ("lung", "adrenal")
    assert parameters.lambda_ == 0.5
    assert parameters.domains["adrenal"].split.labelled == 0.1
    assert parameters.learning_curve.draws == (2 if learning_curve else 0)
