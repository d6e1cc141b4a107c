"""Three sites with tiny images, as processed domains with their splits, and params.yaml."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ruamel.yaml import YAML
from torch import Tensor
from torch.nn import functional as F

from graft.common.parameters import read_parameters
from graft.common.seeds import derive
from graft.data.domain import Domain, write_domain
from graft.data.split import read_split
from graft.federated.settings import Secret, SiteParameters
from graft.federated.site import Site
from graft.networks.build import build_network
from tests.processed import write_parts

ROOT = Path(__file__).parents[1]
PATCH = [8, 8]
CLASSES = ["benign", "malignant"]
ABOUT = {
    "patch": PATCH,
    "spacing": [1.0, 1.0],
    "window": [-1000.0, 400.0],
    "intensity": "window",
    "size": "voxels",
}
SHAPE = {"name": "resnet", "patch": PATCH, "channels": 1, "classes": 2, "width": 8}
SIZES = {"a": 12, "b": 20, "c": 28}  # lesions, each of a patient of its own
MALIGNANT = {"a": 0.5, "b": 0.25, "c": 0.75}  # shares
PARTS = np.array(["train", "train", "validation", "test"])
LR = 0.01  # of plain SGD


def write_federation(**changes: dict) -> None:
    """Write params.yaml and the three sites into this folder.

    Args:
        changes: values of the sections of params.yaml.
    """
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["training"] |= {"device": "cpu"}
    params["pretrain"] |= {"epochs": 2}
    for section, values in changes.items():
        params[section] |= values
    yaml.dump(params, Path("params.yaml"))
    for name in SIZES:
        write_site(name)


def write_site(name: str, **about: object) -> None:
    """Write the domain and the split of a site. Its patients are at no other site.

    Args:
        name: of the site.
        about: values of the preprocessing, or the column `patient` of the index.
    """
    count = SIZES[name]
    patients = about.pop("patient", [f"{name}{i:02}" for i in range(count)])
    numbers = np.arange(count)
    random = np.random.default_rng(count)
    label = (numbers // 4 % 4 < 4 * MALIGNANT[name]).astype(int)
    images = random.random((count, 1, *PATCH)) / 2
    images[label == 1, :, 2:6, 2:6] += 0.3
    index = pd.DataFrame(
        {
            "sample": numbers,
            "patient": patients,
            "label": np.array(CLASSES)[label],
            "site": "",
            "split": "",
            "origin": "",
            "size": 1.0,
            "hash": [f"{name}{i:015x}" for i in numbers],
        }
    )
    domain = Domain(name, images, index, CLASSES, ABOUT | about, patient_key="synthetic")
    write_domain(Path("data/processed") / name, domain)
    write_parts(name, PARTS[numbers % 4])


def read_site(name: str, **changes: object) -> Site:
    """Read a site of this folder, with changed fields."""
    parameters = read_parameters(SiteParameters, Path("params.yaml"))
    secret = read_parameters(Secret, Path("params.yaml")).privacy
    folder, split = Path("data/processed") / name, Path("data/splits") / f"{name}.csv"
    return replace(Site.read(name, folder, split, parameters, secret), **changes)


def plain_sgd(network: torch.nn.Module, *unused: object) -> torch.optim.Optimizer:
    """θ ← θ − lr·∇L: with it, a mean of parameters is a step along the mean of the gradients."""
    return torch.optim.SGD(network.parameters(), lr=torch.tensor(LR))


def train_pooled(
    steps: int, seed: int, mu: float = 0.0, sites: Iterable[str] = tuple(SIZES)
) -> Mapping[str, Tensor]:
    """Train on the lesions of sites in one place, with full batches and plain SGD.

    This shares nothing with graft's training but the network before it.

    Args:
        steps: their number.
        seed: of params.yaml.
        mu: of a proximal term around the start.
        sites: whose training parts.
    """
    images, labels = [], []
    for name in sites:
        domain = Domain.read(Path("data/processed") / name)
        rows = read_split(Path("data/splits") / f"{name}.csv", domain.index)["train"]
        images.append(domain.images[rows])
        labels.append(domain.index["label"].iloc[rows].map(CLASSES.index).to_numpy())
    x = torch.from_numpy(np.concatenate(images)).float()
    y = torch.from_numpy(np.concatenate(labels))
    counts = y.bincount(minlength=2)
    weights = len(y) / (2 * counts)  # balanced
    network = build_network(**SHAPE, seed=derive(seed, "network"))
    start = [parameter.detach().clone() for parameter in network.parameters()]
    for _ in range(steps):
        losses = F.cross_entropy(network(x), y, reduction="none") * weights[y]
        moved = zip(network.parameters(), start, strict=True)
        proximal = sum((now - then).square().sum() for now, then in moved)
        network.zero_grad()
        (losses.mean() + mu / 2 * proximal).backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= LR * parameter.grad
    return network.saved_tensors()


def largest_difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Over all values of all tensors, which have the same names."""
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one) if one else math.nan
