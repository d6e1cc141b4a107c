"""Patients of each organ, drawn without voxels."""

import pytest

from graft.phantom.cohort import Patient, draw_patient

SEED = 5


@pytest.fixture(scope="session", params=["lung", "liver", "liver_mr"])
def many_patients(request: pytest.FixtureRequest) -> list[Patient]:
    organ = request.param
    return [draw_patient(SEED, organ, number) for number in range(600)]
