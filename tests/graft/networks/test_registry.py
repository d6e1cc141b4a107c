import subprocess
import sys
from typing import get_args

import pytest
from monai.networks.nets import resnet as monai
from torch import nn

from graft.networks.published import published_weights
from graft.networks.registry import NETWORKS
from graft.networks.settings import Network
from graft.networks.shape import NetworkShape
from graft.transfer.settings import PUBLISHED

TORCHVISION = [name for name in NETWORKS if name.startswith(("torchvision-", "video-"))]
MEDICALNET = [name for name in NETWORKS if name.startswith("medicalnet-")]


def test_the_parameters_allow_exactly_the_names_of_the_registry():
    assert set(get_args(Network.model_fields["name"].annotation)) == set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_head_is_the_last_layer_and_the_saliency_layer_exists(name):
    kind = NETWORKS[name]
    patch = (32,) * kind.dimensions[0]
    network = kind.build(NetworkShape(patch, channels=1, classes=2, width=8))
    assert isinstance(network.get_submodule(kind.head), nn.Linear)
    assert list(network.state_dict())[-2:] == [f"{kind.head}.weight", f"{kind.head}.bias"]
    assert isinstance(network.get_submodule(kind.saliency_layer), nn.Module)


@pytest.mark.parametrize("name", TORCHVISION)
def test_mean_and_standard_deviation_are_those_of_the_published_weights(name):
    preset = published_weights(name).transforms()
    assert NETWORKS[name].mean == tuple(preset.mean)
    assert NETWORKS[name].std == tuple(preset.std)


@pytest.mark.parametrize("name", MEDICALNET)
def test_the_files_of_medicalnet_are_those_that_monai_downloads(name):
    depth = name.rpartition("resnet")[2]
    repository = f"{monai.MEDICALNET_HUGGINGFACE_REPO_BASENAME}{depth}"
    file = f"{monai.MEDICALNET_HUGGINGFACE_FILES_BASENAME}{depth}_23dataset.pth"
    assert NETWORKS[name].weights == f"{repository}/{file}"


def test_networks_with_published_weights_are_those_that_the_parameters_allow_for_them():
    published = {name for name, kind in NETWORKS.items() if kind.weights}
    assert published == {name for name in NETWORKS if name.startswith(tuple(PUBLISHED.values()))}


@pytest.mark.parametrize("name", ["resnet", "medicalnet-resnet10"])
def test_torchvision_publishes_no_weights_for_other_networks(name):
    with pytest.raises(KeyError, match="torchvision publishes no weights"):
        published_weights(name)


def test_the_libraries_are_imported_late():
    code = "import sys, graft.networks.registry; print({'monai', 'torchvision'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
