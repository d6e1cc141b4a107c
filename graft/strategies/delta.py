"""DELTA without attention: fine-tune with a pull of the feature maps towards those of the source.

It minimises L_target(θ) + λ·R, where R is the squared distance of the last feature maps from those
of the source for the same images: a sum over the channels, a mean over the voxels and the batch.
The weights themselves are free.

Source: Li et al., "DELTA: Deep Learning Transfer using Feature Map with Attention for
Convolutional Networks", ICLR 2019. They weight each channel by a softmax over how much the loss
grows without it. The loss of few classes grows little, so these weights are almost equal, and here
they are equal.
"""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graft.common.code import code_digest
from graft.data.task import Task
from graft.networks.classifier import Classifier
from graft.networks.registry import NETWORKS
from graft.strategies import l2_sp
from graft.strategies.watched import Watched, watch_output
from graft.training.loop import Log
from graft.training.plan import Plan
from graft.training.state import Row
from graft.transfer.start import Start, fit_start


@dataclass(frozen=True)
class MapDistance:
    """λ·R, the distance of a network's feature maps from those of the source.

    Attributes:
        weight: λ.
        maps: of the network.
        source: the network of the source, which stays as it is.
        source_maps: of that network.
    """

    weight: float
    maps: Watched
    source: Classifier
    source_maps: Watched

    @property
    def key(self) -> list:
        """Everything that decides the penalty, as in `FeaturePenalty`."""
        return ["delta", self.weight, code_digest(["strategies"])]

    def __call__(self, images: Tensor) -> Tensor:
        """The penalty of the last forward pass of these images, a scalar ()."""
        with torch.no_grad():
            self.source.features(images)
        return self.weight * map_distance(self.maps.tensor(), self.source_maps.tensor())


def train(start: Start, task: Task, plan: Plan, log: Log | None, show: bool) -> Row:
    """Train in place. An untrained head starts as in L2-SP, and no penalty holds it."""
    start = l2_sp.prepare_head(start, task, plan)
    weight = start.pull.weight if start.pull else 0.0
    start = replace(start, pull=None)
    if not weight:
        return fit_start(start, task, plan, log, show)
    source = copy.deepcopy(start.network).eval().requires_grad_(False)
    layer = f"body.{NETWORKS[start.architecture['name']].saliency_layer}"
    with (
        watch_output(start.network.get_submodule(layer)) as maps,
        watch_output(source.get_submodule(layer)) as source_maps,
    ):
        distance = MapDistance(weight, maps, source, source_maps)
        return fit_start(start, task, replace(plan, features=distance), log, show)


def map_distance(maps: Tensor, source: Tensor) -> Tensor:
    """The squared distance of maps (B, C, *spatial): the mean over B and voxels, a sum over C."""
    return (maps - source).square().flatten(2).sum(1).mean()
