"""Which voxels a model's answer hangs on: Grad-CAM and occlusion.

What is explained is the log odds of the disease, the last class. Of a model with several networks it is the mean by
their shares of each network's log odds, and so are the maps.
"""

import copy
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graft.common.seeds import derive
from graft.networks.build import build_network
from graft.networks.published import DIMENSIONS
from graft.networks.saved import BATCH, Model

# The last features that still have a place, by network; each comes after the last rectifier where it can.
LAYERS = {
    "cnn": "conv2",
    "resnet": "blocks",
    "densenet121": "class_layers.relu",
    **dict.fromkeys(("resnet10", "resnet18", "resnet50", *DIMENSIONS), "layer4"),
}
CUBE = 1 / 4  # side of what is occluded at a time, of the side of the patch
CUBES = {2: 13, 3: 5}  # along each axis, from end to end; more is smoother, and dearer
AT_ONCE = 25  # occluded images, which so stay in a processor's cache
LEAST_RANDOM = 5  # networks with weights drawn anew: one alone would be a matter of luck


@dataclass(frozen=True)
class Maps:
    """Maps of N patches, and the `step` in voxels along each axis that they can tell.

    `signed` (N, *patch) float32 is above 0 where a voxel speaks for the disease, below where against. `sided` says
    that what speaks against it is no part of the saliency.
    """

    signed: np.ndarray
    step: tuple[int, ...]
    sided: bool

    @property
    def values(self) -> np.ndarray:
        """The saliency, 0 or more: (N, *patch)."""
        return self.signed.clip(0) if self.sided else np.abs(self.signed)

    @property
    def turned(self) -> "Maps":
        """The maps of the model that says the opposite."""
        return replace(self, signed=-self.signed)


class LogOdds(nn.Module):
    """ln p / (1 - p) of the last class, the mean of several networks: (B, C, *patch) to (B, 1)."""

    def __init__(self, networks: Sequence[nn.Module], shares: Sequence[float]) -> None:
        super().__init__()
        self.networks, self.shares = nn.ModuleList(networks), shares

    def forward(self, images: Tensor, known: Tensor | None = None) -> Tensor:
        """`known` has the covariates, (B, K), or (1, K) for one lesion of which there are B images."""
        beside = [] if known is None else [known.expand(len(images), -1)]
        logits = [network(images, *beside) for network in self.networks]
        odds = [found[:, -1:] - found[:, :-1].logsumexp(1, keepdim=True) for found in logits]
        return sum(share * value for share, value in zip(self.shares, odds, strict=True))


def grad_cam(model: Model, images: np.ndarray, covariates: pd.DataFrame | None = None) -> Maps:
    """Σ_c w_c · A_c over the last features A, w the mean gradient of the log odds: (N, C, *patch) to Maps.

    Linearly interpolated to the patch; the saliency is what is above 0. A network of three planes has values in these
    alone. Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV
    2017. The hooks are MONAI's; its `GradCAM` ends in a ReLU, so that the mean of several would be none of theirs.
    """
    from monai.visualize.class_activation_maps import ModelWithHooks  # late: it takes seconds

    name, patch = model.card["architecture"]["name"], images.shape[2:]
    alone = [
        LogOdds([copy.deepcopy(network)], [1.0]) for network in model.networks
    ]  # hooks stay where they are put
    hooked = [
        ModelWithHooks(network, f"networks.0.{LAYERS[name]}", True, True) for network in alone
    ]
    maps = []
    for _, batch, known in _batches(model, images, covariates, BATCH):
        mean = 0
        for share, network in zip(model.card["shares"], hooked, strict=True):
            _, (features,), (gradients,) = network(batch, class_idx=0, **known)
            weights = gradients.mean(
                tuple(range(2, gradients.ndim)), keepdim=True
            )  # (B, F, 1, ...)
            mean = mean + share * (weights * features).sum(1, keepdim=True).detach()
        signed, step = _on_patch(name, mean, patch)
        maps.append(signed.cpu().numpy())
    return Maps(np.concatenate(maps), step, sided=True)


def occlusion(model: Model, images: np.ndarray, covariates: pd.DataFrame | None = None) -> Maps:
    """How far the log odds fall when a voxel's surroundings become as grey as the median: (N, C, *patch) to Maps.

    A cube of CUBE stands at each of CUBES places along every axis, and a voxel has the mean over the cubes that cover
    it. Covariates stay as they are. The saliency is the fall or the rise: a benign lesion that is hidden may leave a
    patch that looks worse. Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
    MONAI's `OcclusionSensitivity` indexes by lists, which newer versions of PyTorch read otherwise.
    """
    patch = images.shape[2:]
    cubes = [_cubes(side, CUBES[len(patch)]) for side in patch]
    explained = LogOdds(model.networks, model.card["shares"]).eval()
    falls = np.zeros((len(images), *patch), np.float32)
    with torch.inference_mode():
        for rows, image, known in _batches(model, images, covariates, 1):
            # (C,), on the CPU: CUDA's median along an axis is non-deterministic
            grey = image.flatten(2).cpu().median(2).values[0].to(image.device)
            hidden = image.repeat(
                math.prod(map(len, cubes)), *[1] * (image.ndim - 1)
            )  # (cubes, C, *patch)
            for one, where in zip(hidden, itertools.product(*cubes)):
                one[(slice(None), *where)] = grey.view(-1, *[1] * len(patch))
            odds = torch.cat([explained(batch, **known)[:, 0] for batch in hidden.split(AT_ONCE)])
            found = (explained(image, **known)[0, 0] - odds).cpu().numpy()
            falls[rows] = _spread(found.reshape([len(along) for along in cubes]), cubes, patch)
    return Maps(falls, tuple(along[1].start - along[0].start for along in cubes), sided=False)


def randomised(model: Model, seed: int) -> list[Model]:
    """Models of the same architecture with weights drawn anew, LEAST_RANDOM networks or more in all.

    What such a model points at comes from its architecture and the images, not from what was learnt. Adebayo et al.,
    "Sanity Checks for Saliency Maps", NeurIPS 2018.
    """
    device, members = next(model.networks[0].parameters()).device, len(model.networks)
    drawn = []
    for draw in range(math.ceil(LEAST_RANDOM / members)):
        seeds = [derive(seed, "randomised", draw, k) for k in range(members)]
        networks = [
            build_network(**model.card["architecture"], seed=number).to(device).eval()
            for number in seeds
        ]
        drawn.append(replace(model, networks=networks))
    return drawn


def _cubes(side: int, count: int) -> list[slice]:
    """Where along one axis the cubes lie: from end to end, so that one is in the middle where `count` is odd."""
    width = max(1, int(CUBE * side))
    starts = np.unique(np.linspace(0, side - width, count).round().astype(int))
    return [slice(int(start), int(start) + width) for start in starts]


def _spread(values: np.ndarray, cubes: list[list[slice]], patch: tuple[int, ...]) -> np.ndarray:
    """The value of each cube, (n, n, n), as means over the cubes that cover each voxel: (*patch)."""
    for along, side in zip(cubes, patch):
        covers = np.zeros((len(along), side))
        for row, where in zip(covers, along):
            row[where] = 1
        values = np.tensordot(
            values, covers / np.maximum(covers.sum(0), 1), (0, 0)
        )  # its axis goes last
    return values


def _batches(
    model: Model, images: np.ndarray, covariates: pd.DataFrame | None, size: int
) -> Iterator[tuple[slice, Tensor, dict[str, Tensor]]]:
    """Rows, images and, as arguments, covariates of one batch after the other, on the model's device."""
    device = next(model.networks[0].parameters()).device
    encoded = [
        torch.from_numpy(known).to(device) for known in model.encode(covariates, len(images))
    ]
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        batch = torch.as_tensor(np.ascontiguousarray(images[rows])).to(device, torch.float32)
        yield rows, batch, {"known": known[rows] for known in encoded}


def _on_patch(name: str, found: Tensor, patch: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """A map over the features of a network, (B, 1, *features), on its patch, (B, *patch), and the voxels of a step."""
    if name.endswith("-planes"):  # (3·B, 1, h, w), in the order of graft.networks.published
        planes = F.interpolate(found, patch[:2], mode="bilinear")[:, 0].unflatten(0, (3, -1))
        values = found.new_zeros(planes.shape[1], *patch)
        for axis, plane in zip((3, 2, 1), planes):
            values.select(axis, patch[axis - 1] // 2).add_(plane)
        return values, (math.ceil(patch[0] / found.shape[-1]),) * 3
    if name.startswith("video"):
        found = found.movedim(2, -1)  # from (B, 1, S, R, A), as frames come first there
    step = tuple(math.ceil(side / cells) for side, cells in zip(patch, found.shape[2:]))
    return F.interpolate(found, patch, mode={2: "bilinear", 3: "trilinear"}[len(patch)])[:, 0], step
