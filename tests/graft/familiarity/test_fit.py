import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from graft.familiarity.familiar import Familiar
from graft.familiarity.fit import MIN_PATIENTS, fit_familiar
from graft.familiarity.measurements import Measurements

COUNT = 40


@pytest.fixture
def measured() -> Measurements:
    random = np.random.default_rng(0)
    intensities = {
        "intensity_mean": np.linspace(0.3, 0.5, COUNT),
        "intensity_sd": np.linspace(0.1, 0.2, COUNT),
        "intensity_roughness": np.linspace(0.02, 0.04, COUNT),
    }
    spacings = np.tile([0.8, 0.9, 2.0], (COUNT, 1))
    spacings[0] = [0.7, 0.9, np.nan]
    return Measurements(intensities, spacings, random.normal(size=(COUNT, 3)) * [1, 10, 100])


@pytest.fixture
def familiar(measured) -> Familiar:
    samples = tuple(range(100, 100 + COUNT))
    return fit_familiar(measured, samples, np.arange(COUNT) // 2, np.linspace(0, 1, COUNT))


def one(**changes: object) -> Measurements:
    """A familiar input with some changes."""
    intensities = {"intensity_mean": 0.4, "intensity_sd": 0.15, "intensity_roughness": 0.03}
    spacings = np.array([changes.pop("spacings", [0.8, 0.9, 2.0])])
    features = np.array([changes.pop("features", [0.0, 0.0, 0.0])])
    values = {name: np.array([changes.get(name, value)]) for name, value in intensities.items()}
    return Measurements(values, spacings, features)


def take(measured: Measurements, rows: np.ndarray) -> Measurements:
    intensities = {name: values[rows] for name, values in measured.intensities.items()}
    return Measurements(intensities, measured.spacings[rows], measured.features[rows])


def test_ranges_are_wider_than_what_was_measured(familiar):
    ranges = familiar.ranges
    assert ranges["intensity_mean"] == (0.2, 0.6)
    assert ranges["intensity_sd"] == (round(0.1 / 1.35, 6), 0.27)
    assert ranges["intensity_roughness"] == (round(0.02 / 1.35, 6), 0.054)
    assert ranges["spacing_r"] == (round(0.7 / 1.5, 6), 1.2)
    assert ranges["spacing_s"] == (round(2 / 1.5, 6), 3.0)
    assert familiar.fitted_on == tuple(range(100, 140))


def test_distances_are_those_of_mahalanobis_with_the_shrunk_covariance(familiar, measured):
    features = measured.features
    scaled = (features - features.mean(0)) / features.std(0)
    inverse = np.linalg.inv(LedoitWolf().fit(scaled).covariance_)
    found = familiar.values(measured)["feature_distance"]
    for row in (0, 7, 39):
        expected = mahalanobis(scaled[row], np.zeros(3), inverse)
        assert found[row] == pytest.approx(expected, abs=1e-5)


def test_few_familiar_inputs_are_too_far_away(familiar):
    random = np.random.default_rng(1)
    new = random.normal(size=(5000, 3)) * [1, 10, 100]
    values = {name: np.zeros(5000) for name in familiar.ranges if name.startswith("intensity")}
    distances = familiar.values(Measurements(values, None, new))["feature_distance"]
    limit = familiar.ranges["feature_distance"][1]
    assert (distances > limit).mean() < 0.01
    assert limit < 2 * distances.max()


@pytest.mark.parametrize(
    ("changes", "check", "text"),
    [
        (
            {"intensity_mean": 0.71},
            "intensities",
            "The mean intensity of the patch is 0.71 of the window, and familiar inputs have 0.2 "
            "to 0.6.",
        ),
        (
            {"spacings": [0.8, 0.9, 5.0]},
            "spacing",
            "The scan has 5 mm per voxel along S, and familiar inputs have 1.33 to 3 mm.",
        ),
        (
            {"features": [50.0, 0.0, 0.0]},
            "features",
            "The first layer of the network answers unlike it did in training: the distance is",
        ),
    ],
)
def test_an_unfamiliar_input_has_a_reason(familiar, changes, check, text):
    [[reason]] = familiar.check(one(**changes))
    assert reason.check == check
    assert reason.text.startswith(text)


def test_familiar_inputs_and_unknown_values_are_no_reason(familiar):
    assert familiar.check(one()) == [[]]
    assert familiar.check(one(spacings=[np.nan] * 3)) == [[]]
    assert familiar.check(replace(one(), spacings=None, features=None)) == [[]]


def test_every_check_may_give_a_reason(familiar):
    found = familiar.check(one(intensity_sd=0.5, spacings=[9, 9, 9], features=[90, 0, 0]))
    assert [reason.check for reason in found[0]] == ["intensities"] + ["spacing"] * 3 + ["features"]


def test_json_gives_the_same_back(familiar):
    content = json.loads(json.dumps(asdict(familiar), allow_nan=False))
    assert Familiar.from_document(content) == familiar


def test_the_reference_is_sorted_and_has_no_unknown_value(familiar, measured):
    reference = familiar.reference
    assert list(reference) == [
        *measured.intensities,
        "spacing_mm",
        "feature_distance",
        "probability",
    ]
    assert reference["spacing_mm"] == [2.0] * 39
    assert all(values == sorted(values) for values in reference.values())


def test_the_reference_of_many_inputs_keeps_200_of_them():
    values = np.random.default_rng(0).permutation(1001) / 1000
    measured = Measurements(
        dict.fromkeys(("intensity_mean", "intensity_sd", "intensity_roughness"), values)
    )
    reference = fit_familiar(measured, (), np.arange(1001)).reference["intensity_mean"]
    assert len(reference) == 200
    assert reference[0] == 0
    assert reference[-1] == 1
    assert np.abs(np.diff(reference) - 1 / 199).max() < 0.002


@pytest.mark.parametrize("patients", [1, 2, 3, MIN_PATIENTS - 1])
def test_too_few_patients_give_no_limit_of_the_features(measured, patients):
    """Whether each has one lesion or several."""
    for lesions in (measured, take(measured, np.arange(patients))):
        owners = np.arange(len(lesions.features)) % patients
        familiar = fit_familiar(lesions, (), owners)
        assert "feature_distance" not in familiar.ranges
        assert "feature_distance" not in familiar.values(measured)
        assert "feature_distance" not in familiar.reference
        far = replace(take(measured, np.arange(1)), features=np.array([[1e6, 0.0, 0.0]]))
        assert familiar.check(far) == [[]]


def test_enough_patients_with_a_lesion_each_give_a_limit_that_refuses(measured):
    owners = np.arange(MIN_PATIENTS)
    familiar = fit_familiar(take(measured, owners), (), owners)
    assert not any(familiar.check(take(measured, owners)))
    far = replace(take(measured, owners[:1]), features=np.array([[1e3, 0.0, 0.0]]))
    [[reason]] = familiar.check(far)
    assert reason.check == "features"


def test_a_constant_channel_is_no_fault(measured):
    constant = replace(measured, features=np.ones((COUNT, 3)))
    familiar = fit_familiar(constant, (), np.arange(COUNT))
    assert not any(familiar.check(constant))
