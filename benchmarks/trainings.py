"""Trainings on random patches, with the network and the parameters of params.yaml.

This module needs neither DVC, Prefect, MONAI nor Typer, so that it runs on a bare GPU machine.
"""

from pathlib import Path

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import Tensor, nn

from graft.common.seeds import generator
from graft.data.task import Samples
from graft.networks.build import build_network
from graft.training.epoch import Epochs
from graft.training.plan import Plan
from graft.training.settings import Augment, Recipe, Training
from graft.training.state import State, make_optimizer

PARAMETERS = Path(__file__).parents[1] / "params.yaml"
CLASSES = 2


def read_parameters() -> dict:
    """Return the parameters of params.yaml as plain values."""
    return YAML(typ="safe").load(PARAMETERS)


def random_samples(count: int, device: torch.device) -> Samples:
    """Return samples with random voxels (N, 1, *patch) float16, on a device."""
    random = generator(0, "samples")
    shape = (count, 1, *read_parameters()["preprocess"]["patch"])
    images = random.random(shape, dtype=np.float32).astype(np.float16)
    labels = torch.arange(count) % CLASSES
    return Samples(torch.from_numpy(images).to(device), labels.to(device), np.arange(count))


def default_network(device: torch.device) -> nn.Module:
    """Return the default network with fresh weights."""
    parameters = read_parameters()
    network = build_network(
        parameters["network"]["name"],
        patch=parameters["preprocess"]["patch"],
        channels=1,
        classes=CLASSES,
        width=parameters["network"]["width"],
        seed=0,
    )
    return network.to(device)


def make_epochs(samples: Samples, batch: int, transforms: int) -> Epochs:
    """Return the epochs of a training like `pretrain`, with M transforms of each sample."""
    parameters = read_parameters()
    device = samples.labels.device
    recipe = Recipe(**{**_plain(parameters["pretrain"]), "transforms": transforms})
    training = Training(**{**parameters["training"], "batch": batch})
    plan = Plan(recipe, training, Augment(**parameters["augment"]), 0, "benchmark", Path("unused"))
    network = default_network(device)
    state = State(network, make_optimizer(network, recipe, training), {}, [])
    return Epochs(state, samples, torch.ones(len(samples), device=device), plan)


def weights_of(epochs: Epochs) -> list[Tensor]:
    """Return copies of all weights of the network of a training, on the CPU."""
    return [weight.detach().cpu().clone() for weight in epochs.state.network.parameters()]


def _plain(section: dict) -> dict:
    """The parameters of a stage that every recipe has."""
    return {name: section[name] for name in Recipe.model_fields}
