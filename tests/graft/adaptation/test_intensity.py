import numpy as np
import pytest

from graft.adaptation.intensity import fit_intensity
from graft.grids.intensity_map import IntensityMap

REFERENCE = {"intensity_mean": [0.5] * 20, "intensity_sd": [0.2] * 20}


def measured(count: int, mean: float, deviation: float) -> dict[str, np.ndarray]:
    return {"intensity_mean": np.full(count, mean), "intensity_sd": np.full(count, deviation)}


def test_ten_lesions_go_half_of_the_way():
    found = fit_intensity(measured(10, 0.3, 0.1), np.arange(10), REFERENCE)
    # The scale is √2 = 1.414, to the next 0.02. The mean becomes 0.4 = 1.42 · 0.3 - 0.026.
    assert found == IntensityMap(1.42, -0.02)


def test_many_lesions_go_nearly_all_of_it():
    found = fit_intensity(measured(5000, 0.3, 0.1), np.arange(5000), REFERENCE)
    assert found == IntensityMap(2.0, -0.1)


def test_like_intensities_are_not_mapped():
    random = np.random.default_rng(0)
    like = {name: random.normal(0.5, 0.1, 40) for name in REFERENCE}
    reference = {name: random.normal(0.5, 0.1, 200).tolist() for name in REFERENCE}
    assert fit_intensity(like, np.arange(40), reference) is None


def test_lesions_of_one_patient_are_no_evidence():
    assert fit_intensity(measured(40, 0.3, 0.1), np.zeros(40, int), REFERENCE) is None


def test_a_model_without_reference_is_not_mapped():
    assert fit_intensity(measured(40, 0.3, 0.1), np.arange(40), {}) is None


def test_maps_are_applied_and_joined():
    first, second = IntensityMap(0.5, 0.1), IntensityMap(2.0, -0.1)
    patch = np.linspace(0, 1, 11, dtype=np.float16)
    both = second.after(first)
    assert (both.scale, both.shift) == pytest.approx((1.0, 0.1))
    assert both.apply(patch) == pytest.approx(second.apply(first.apply(patch)), abs=2e-3)
    assert both.apply(patch).dtype == np.float16
    assert both.apply(patch).max() == 1
    assert second.after(None) == second
