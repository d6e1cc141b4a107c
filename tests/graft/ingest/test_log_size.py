"""The covariate log_size, which graft measures itself."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.common.files import InputError
from graft.data.domain import Domain
from graft.grids.grid import Grid
from graft.ingest.log_size import add_log_size
from tests.raw import read_domain

GRID = Grid((8, 8), (1, 1), (0, 1))


@pytest.fixture
def arrays(tmp_path) -> Path:
    """Raw data as arrays: two pictures with 4 and 16 voxels above the floor."""
    images = np.zeros((2, 8, 8), np.float32)
    images[0, :2, :2] = 1
    images[1, :4, :4] = 1
    np.save(tmp_path / "data.npy", images)
    np.save(tmp_path / "labels.npy", np.array([0, 1]))
    return tmp_path


def read(path: Path, **covariates: str) -> Domain:
    return read_domain(path, "liver", ["benign", "malignant"], GRID, covariates=covariates)


def test_arrays_have_the_logarithm_of_the_size_on_request(arrays):
    domain = read(arrays, log_size="number")
    assert domain.kinds == {"log_size": "number"}
    assert domain.covariates is not None
    found = domain.covariates["log_size"].astype(float)
    assert found.tolist() == pytest.approx([math.log(4), math.log(16)], abs=1e-5)
    assert read(arrays).covariates is None


def test_it_stands_beside_the_columns_of_a_manifest():
    table = add_log_size(pd.DataFrame({"age": ["60", "70"]}), pd.Series([1.0, 0.0]))
    assert table.to_dict("list") == {"age": ["60", "70"], "log_size": ["0", ""]}


def test_other_columns_need_a_manifest(arrays):
    with pytest.raises(InputError, match="covariates: got age, expected {} or log_size, as"):
        read(arrays, age="number", log_size="number")


def test_it_is_a_number(arrays):
    with pytest.raises(InputError, match="covariates.log_size: got 'category', expected number"):
        read(arrays, log_size="category")
