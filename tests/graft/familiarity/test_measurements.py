import numpy as np
import pytest
import torch

from graft.familiarity.measurements import measure, model_features
from graft.networks.build import build_network
from graft.networks.saved import Model

PATCH = [8, 8, 8]


def test_intensities_are_those_of_the_patch():
    image = np.zeros((1, 2, 3), np.float16)
    image[0] = [[0, 0.5, 1], [0, 0.5, 1]]
    found = measure(image[None])
    assert len(found) == 1
    assert found.intensities["intensity_mean"].tolist() == [0.5]
    assert found.intensities["intensity_sd"] == pytest.approx([np.sqrt(1 / 6)])
    # Along the rows no voxel differs. Along the columns each step is 0.5.
    assert found.intensities["intensity_roughness"].tolist() == [0.25]


def test_no_image_has_no_measurements():
    assert len(measure(np.zeros((0, 1, 4, 4), np.float16))) == 0


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((70, 1, *PATCH)).astype(np.float16)


def model(name: str, **shape: object) -> Model:
    networks = []
    for seed in range(2):
        networks.append(build_network(name=name, channels=1, classes=2, seed=seed, **shape).eval())
    card = {"architecture": {"channels": 1, "patch": PATCH}, "classes": [0, 1], "shares": [0.5] * 2}
    return Model(card, networks)


def test_features_are_mean_and_deviation_of_the_first_convolution(images):
    ensemble = model("resnet", patch=PATCH, width=8)
    found = model_features(ensemble, images)
    first = ensemble.networks[0]
    with torch.inference_mode():
        planes = first.body.stem(first.input_step(torch.from_numpy(images).float()))
    planes = planes.double().flatten(2).numpy()  # (70, 8, voxels)
    assert found.shape == (70, 16)
    assert np.allclose(found[:, :8], planes.mean(2), atol=1e-6)
    assert np.allclose(found[:, 8:], planes.std(2), atol=1e-6)


def test_three_planes_of_a_volume_have_one_row_of_features(images):
    found = model_features(model("resnet18", patch=PATCH, width=8), images[:5])
    assert found.shape == (5, 128)
    assert not np.allclose(found[0], found[1])
