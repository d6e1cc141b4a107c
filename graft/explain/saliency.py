"""Saliency maps: which voxels a model's answer depends on, by Grad-CAM and by occlusion.

The maps explain the log odds of the disease, which is the last class. For a model with several
networks, they explain the mean of the networks' log odds, weighted by the shares. The maps of such
a model are the mean of the networks' maps with the same weights.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graft.common.seeds import derive
from graft.networks.build import build_network
from graft.networks.registry import NETWORKS, NetworkKind
from graft.networks.saved import BATCH, Model

CUBE_SHARE = 1 / 4  # the side of an occluding cube as a share of the side of the patch
CUBES_PER_AXIS = {2: 13, 3: 5}  # by dimensions; more give smoother maps and cost more
OCCLUSION_BATCH = 25  # images; so many fit into the cache of a processor
LEAST_RANDOMISED = 5  # networks with fresh weights; the result of a single one would be chance


@dataclass(frozen=True)
class SaliencyMaps:
    """Maps of N patches.

    Attributes:
        signed: (N, *patch) float32, above 0 if a voxel is evidence for the disease, and below 0
            if it is evidence against it.
        step: the resolution of the maps along each axis, in voxels.
        one_sided: whether only evidence for the disease counts as salient.
    """

    signed: np.ndarray
    step: tuple[int, ...]
    one_sided: bool

    @property
    def values(self) -> np.ndarray:
        """The saliency, 0 or more: (N, *patch)."""
        return self.signed.clip(0) if self.one_sided else np.abs(self.signed)

    @property
    def inverted(self) -> "SaliencyMaps":
        """The maps of a model that gives the opposite answer."""
        return replace(self, signed=-self.signed)


class LogOdds(nn.Module):
    """The log odds ln(p / (1 - p)) of the last class: the mean of networks, weighted by shares."""

    def __init__(self, networks: Sequence[nn.Module], shares: Sequence[float]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.shares = shares

    def forward(self, images: Tensor, covariates: Tensor | None = None) -> Tensor:
        """Maps images (B, C, *patch) and covariates (B, K), or (1, K) for all, to (B, 1)."""
        if covariates is not None:
            covariates = covariates.expand(len(images), -1)
        terms = []
        for share, network in zip(self.shares, self.networks, strict=True):
            logits = network(images, covariates)  # (B, classes)
            others = logits[:, :-1].logsumexp(1, keepdim=True)
            log_odds = logits[:, -1:] - others  # (B, 1)
            terms.append(share * log_odds)
        return reduce(torch.add, terms)


def grad_cam(
    model: Model,
    images: np.ndarray,
    covariates: pd.DataFrame | None = None,
) -> SaliencyMaps:
    """Make maps by Grad-CAM: Σ_c w_c · A_c, where w is the mean gradient of the log odds.

    A are the last features of a network. The maps are interpolated linearly to the patch. The
    saliency is the part above 0. For a network of three planes, only these planes have values.

    MONAI's `GradCAM` is not used, because it ends in a ReLU, so the maps of several networks could
    not be averaged.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", ICCV 2017.

    Args:
        model: the model to explain.
        images: (N, C, *patch) in [0, 1].
        covariates: N rows as `Model.predict` takes them.
    """
    kind = NETWORKS[model.card["architecture"]["name"]]
    maps = []
    for batch, known in model.batches(images, covariates, BATCH):
        terms = []
        for share, network in zip(model.card["shares"], model.networks, strict=True):
            layer = network.get_submodule(f"body.{kind.saliency_layer}")
            log_odds = LogOdds([network], [1.0]).eval()
            features, gradients = _features_and_gradients(log_odds, layer, batch, known)
            spatial = tuple(range(2, gradients.ndim))
            weights = gradients.mean(spatial, keepdim=True)  # (B, F, 1, ...)
            weighted = (weights * features).sum(1, keepdim=True)  # (B, 1, *features)
            terms.append(share * weighted.detach())
        coarse = reduce(torch.add, terms)
        signed, step = _interpolate_to_patch(kind, coarse, images.shape[2:])
        maps.append(signed.cpu().numpy())
    return SaliencyMaps(np.concatenate(maps), step, one_sided=True)


def _features_and_gradients(
    log_odds: LogOdds,
    layer: nn.Module,
    images: Tensor,
    covariates: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return the output of a layer and the gradient of the log odds for it: (B, F, *features)."""
    outputs: list[Tensor] = []
    with layer.register_forward_hook(lambda module, inputs, output: outputs.append(output)):
        total = log_odds(images, covariates).sum()
    (features,) = outputs
    (gradients,) = torch.autograd.grad(total, features)
    return features, gradients


def occlusion(
    model: Model,
    images: np.ndarray,
    covariates: pd.DataFrame | None = None,
) -> SaliencyMaps:
    """Make maps by occlusion: the fall of the log odds if a cube around a voxel is hidden.

    The cube gets the median intensity of the image. Its side is CUBE_SHARE of that of the patch. It
    is placed at CUBES_PER_AXIS places along every axis, and a voxel gets the mean over the cubes
    that cover it. Covariates do not change. The saliency is the size of the change in either
    direction: hiding a benign lesion may make the patch look more suspicious.

    MONAI's `OcclusionSensitivity` is not used, because it indexes by lists, which newer versions of
    PyTorch interpret differently.

    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.

    Args:
        model: the model to explain.
        images: (N, C, *patch) in [0, 1].
        covariates: N rows as `Model.predict` takes them.
    """
    patch = images.shape[2:]
    count = CUBES_PER_AXIS[len(patch)]
    cubes = [_cube_slices(side, count) for side in patch]
    grid_shape = [len(slices) for slices in cubes]
    log_odds = LogOdds(model.networks, model.card["shares"]).eval()
    falls = np.zeros((len(images), *patch), np.float32)
    with torch.inference_mode():
        for row, (image, known) in enumerate(model.batches(images, covariates, 1)):
            clean = log_odds(image, known)[0, 0]  # ()
            occluded = []
            for chunk in _occlude(image, cubes).split(OCCLUSION_BATCH):
                occluded.append(log_odds(chunk, known)[:, 0])
            fall = clean - torch.cat(occluded)  # (cubes,)
            grid = fall.cpu().numpy().reshape(grid_shape)
            falls[row] = _mean_over_cubes(grid, cubes, patch)
    step = tuple(slices[1].start - slices[0].start for slices in cubes)
    return SaliencyMaps(falls, step, one_sided=False)


@dataclass(frozen=True)
class SaliencyMethod:
    """A method that makes saliency maps.

    Attributes:
        title: its name in sentences.
        make_maps: maps a model, images and covariates to the maps of the images.
        most_lesions: how many lesions are scored at most. Occlusion gets fewer, because it
            evaluates every network 126 times per lesion.
    """

    title: str
    make_maps: Callable[[Model, np.ndarray, pd.DataFrame | None], SaliencyMaps]
    most_lesions: int


METHODS = {
    "grad_cam": SaliencyMethod("Grad-CAM", grad_cam, most_lesions=100),
    "occlusion": SaliencyMethod("occlusion", occlusion, most_lesions=12),
}


def randomised_models(model: Model, seed: int) -> list[Model]:
    """Make models of the same architecture with fresh weights.

    Together they have at least LEAST_RANDOMISED networks. Their maps depend on the architecture and
    the images, but not on training.

    Source: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018.
    """
    members = len(model.networks)
    models = []
    for draw in range(math.ceil(LEAST_RANDOMISED / members)):
        networks = []
        for k in range(members):
            member_seed = derive(seed, "randomised", draw, k)
            network = build_network(**model.card["architecture"], seed=member_seed)
            networks.append(network.to(model.device).eval())
        models.append(replace(model, networks=networks))
    return models


def _cube_slices(side: int, count: int) -> list[slice]:
    """The places of the cubes along one axis, from end to end.

    With an odd `count`, one of them is central. A short axis has fewer than `count` places.
    """
    width = max(1, int(CUBE_SHARE * side))
    starts = np.linspace(0, side - width, count).round().astype(int)
    starts = np.unique(starts).tolist()
    return [slice(start, start + width) for start in starts]


def _occlude(image: Tensor, cubes: list[list[slice]]) -> Tensor:
    """Copy an image (1, C, *patch) once per cube, and make this cube grey: (cubes, C, *patch)."""
    # On the CPU, because CUDA's median along an axis is non-deterministic.
    medians = image.flatten(2).cpu().median(2)
    grey = medians.values[0].to(image.device)  # (C,)
    ones = [1] * len(cubes)
    grey = grey.view(-1, *ones)
    places = list(itertools.product(*cubes))
    occluded = image.repeat(len(places), 1, *ones)
    for copied, place in zip(occluded, places, strict=True):
        copied[(slice(None), *place)] = grey
    return occluded


def _mean_over_cubes(
    values: np.ndarray,
    cubes: list[list[slice]],
    patch: tuple[int, ...],
) -> np.ndarray:
    """Average the values of the cubes that cover each voxel: from (*cubes) to (*patch)."""
    for slices, side in zip(cubes, patch, strict=True):
        covers = np.zeros((len(slices), side))
        for row, place in zip(covers, slices, strict=True):
            row[place] = 1
        weights = covers / np.maximum(covers.sum(0), 1)
        values = np.tensordot(values, weights, (0, 0))  # its first axis becomes the last
    return values


def _interpolate_to_patch(
    kind: NetworkKind,
    coarse: Tensor,
    patch: tuple[int, ...],
) -> tuple[Tensor, tuple[int, ...]]:
    """Interpolate maps over the features of a network, (B, 1, *features), to the patch.

    Returns:
        The maps (B, *patch), and the step of the features along each axis, in voxels.
    """
    if kind.view == "planes":
        return _place_planes(coarse, patch)
    if kind.view == "frames":
        coarse = coarse.movedim(2, -1)  # from (B, 1, S, R, A)
    mode = "bilinear" if len(patch) == 2 else "trilinear"
    fine = F.interpolate(coarse, patch, mode=mode)
    step = []
    for side, cells in zip(patch, coarse.shape[2:], strict=True):
        step.append(math.ceil(side / cells))
    return fine[:, 0], tuple(step)


def _place_planes(coarse: Tensor, patch: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """Interpolate maps of three planes (3·B, 1, h, w) to their planes in patches.

    All other voxels are 0. The result is that of `_interpolate_to_patch`.
    """
    fine = F.interpolate(coarse, patch[:2], mode="bilinear")
    fine = fine[:, 0]  # (3·B, side, side)
    planes = fine.unflatten(0, (3, -1))  # in the order of InputStep
    volume = coarse.new_zeros(planes.shape[1], *patch)
    for axis, plane in zip((3, 2, 1), planes, strict=True):
        volume.select(axis, patch[axis - 1] // 2).add_(plane)
    step = math.ceil(patch[0] / coarse.shape[-1])
    return volume, (step,) * 3
