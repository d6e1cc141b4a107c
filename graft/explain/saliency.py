"""Saliency maps: which voxels a model's answer depends on, by Grad-CAM and by occlusion.

The maps explain the log odds of the disease, which is the last class. For a model with several
networks this is the mean of the networks' log odds by their shares. So are the maps.
"""

import copy
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
CUBES_PER_AXIS = {2: 13, 3: 5}  # by dimensions; more are smoother and more expensive
OCCLUSION_BATCH = 25  # occluded images at once, which fit into the cache of a processor
LEAST_RANDOMISED = 5  # networks with fresh weights; the result of a single one would be chance


@dataclass(frozen=True)
class SaliencyMaps:
    """Maps of N patches.

    Attributes:
        signed: (N, *patch) float32, above 0 where a voxel is evidence for the disease,
            below 0 where it is evidence against it.
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
        """The maps of a model with the opposite answer."""
        return replace(self, signed=-self.signed)


class LogOdds(nn.Module):
    """ln p / (1 - p) of the last class, the mean of several networks by their shares."""

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
    """Σ_c w_c · A_c over the last features A, where w is the mean gradient of the log odds.

    The maps are interpolated linearly to the patch. The saliency is the part above 0. For a network
    of three planes, only these planes have values. Selvaraju et al., "Grad-CAM: Visual Explanations
    from Deep Networks via Gradient-based Localization", ICCV 2017.

    The hooks are MONAI's. Its `GradCAM` ends in a ReLU, so that maps could not be averaged.

    Args:
        model: the model to explain.
        images: (N, C, *patch) in [0, 1].
        covariates: N rows as `Model.predict` takes them.
    """
    from monai.visualize.class_activation_maps import ModelWithHooks  # late: it takes seconds

    kind = NETWORKS[model.card["architecture"]["name"]]
    hooked = []
    for network in model.networks:
        log_odds = LogOdds([copy.deepcopy(network)], [1.0])  # a copy, because hooks stay
        layer = f"networks.0.body.{kind.saliency_layer}"
        hooked.append(
            ModelWithHooks(log_odds, layer, register_forward=True, register_backward=True)
        )
    maps = []
    for batch, known in model.batches(images, covariates, BATCH):
        terms = []
        for share, explained in zip(model.card["shares"], hooked, strict=True):
            _, (features,), (gradients,) = explained(batch, class_idx=0, covariates=known)
            spatial = tuple(range(2, gradients.ndim))
            weights = gradients.mean(spatial, keepdim=True)  # (B, F, 1, ...)
            weighted = (weights * features).sum(1, keepdim=True)  # (B, 1, *features)
            terms.append(share * weighted.detach())
        coarse = reduce(torch.add, terms)
        signed, step = _interpolate_to_patch(kind, coarse, images.shape[2:])
        maps.append(signed.cpu().numpy())
    return SaliencyMaps(np.concatenate(maps), step, one_sided=True)


def occlusion(
    model: Model,
    images: np.ndarray,
    covariates: pd.DataFrame | None = None,
) -> SaliencyMaps:
    """How much the log odds fall if the surroundings of a voxel become as grey as the median.

    A cube of CUBE_SHARE is placed at each of CUBES_PER_AXIS places along every axis. A voxel gets
    the mean over the cubes that cover it. Covariates stay as they are. The saliency is the size of
    the change in either direction: hiding a benign lesion may make the patch look more suspicious.
    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.

    MONAI's `OcclusionSensitivity` indexes by lists, which newer PyTorch treats differently.

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
    """A way to make maps.

    Attributes:
        title: its name in prose.
        make_maps: maps a model, images and covariates to the maps of the images.
        most_lesions: how many lesions are scored at most; None scores all. Occlusion is limited,
            because it evaluates every network 126 times per lesion.
    """

    title: str
    make_maps: Callable[[Model, np.ndarray, pd.DataFrame | None], SaliencyMaps]
    most_lesions: int | None = None


METHODS = {
    "grad_cam": SaliencyMethod("Grad-CAM", grad_cam),
    "occlusion": SaliencyMethod("occlusion", occlusion, most_lesions=24),
}


def randomised_models(model: Model, seed: int) -> list[Model]:
    """Models of the same architecture with fresh weights, with at least LEAST_RANDOMISED networks.

    What such a model points at depends on its architecture and the images, but not on training.
    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018.
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
    """Where the cubes are along one axis, from end to end; with an odd `count` one is central."""
    width = max(1, int(CUBE_SHARE * side))
    starts = np.linspace(0, side - width, count).round().astype(int)
    starts = np.unique(starts).tolist()
    return [slice(start, start + width) for start in starts]


def _occlude(image: Tensor, cubes: list[list[slice]]) -> Tensor:
    """Copies of one image (1, C, *patch), in each of which one cube is grey: (cubes, C, *patch)."""
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
    """For each voxel the mean over the cubes that cover it, from one value per cube: (*patch)."""
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
        The maps (B, *patch), and the voxels of a step of the features along each axis.
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
    """As `_interpolate_to_patch`, for maps of three planes (3·B, 1, h, w); other voxels are 0."""
    fine = F.interpolate(coarse, patch[:2], mode="bilinear")
    fine = fine[:, 0]  # (3·B, side, side)
    planes = fine.unflatten(0, (3, -1))  # in the order of InputStep
    volume = coarse.new_zeros(planes.shape[1], *patch)
    for axis, plane in zip((3, 2, 1), planes, strict=True):
        volume.select(axis, patch[axis - 1] // 2).add_(plane)
    step = math.ceil(patch[0] / coarse.shape[-1])
    return volume, (step,) * 3
