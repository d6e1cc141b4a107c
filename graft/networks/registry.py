"""The properties of each network, one row per network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import nn

from graft.networks.libraries import (
    build_medicalnet,
    build_monai_densenet121,
    build_monai_resnet,
    build_torchvision,
)
from graft.networks.shape import NetworkShape
from graft.networks.small import PeakResNet, ResNet, SimpleCNN

View = Literal["whole", "planes", "frames"]


@dataclass(frozen=True)
class NetworkKind:
    """One row of the registry.

    Attributes:
        name: the name in parameters and on cards.
        build: makes the network with fresh weights and with its own head.
        head: the name of the last layer, a linear one, inside the network and in weight files.
        saliency_layer: the last module whose output has spatial axes, after the last rectifier if
            possible.
        dimensions: how many spatial axes a patch may have.
        smallest_side: the least number of voxels along each side of a patch. Fewer would leave no
            voxel after all halvings.
        view: how the body sees a patch. It sees it whole, as the three planes through its middle,
            or as a video whose frames are the axial slices.
        mean: of the images in [0, 1], for each channel or for all. It is subtracted.
        std: the standard deviation, for each channel or for all. Images are divided by it.
        weights: the published weights that fit. This is an entry of torchvision's enums, or a file
            on Hugging Face.
    """

    name: str
    build: Callable[[NetworkShape], nn.Module]
    head: str = "fc"
    saliency_layer: str = "layer4"
    dimensions: tuple[int, ...] = (2, 3)
    smallest_side: int = 1
    view: View = "whole"
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    weights: str | None = None


def _torchvision_kinds(depth: int) -> list[NetworkKind]:
    """A ResNet with weights of ImageNet: for planes, for the three planes of a volume, inflated."""
    library_name = f"resnet{depth}"
    flat = NetworkKind(
        f"torchvision-{library_name}",
        partial(build_torchvision, library_name),
        dimensions=(2,),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        weights=f"ResNet{depth}_Weights.IMAGENET1K_V1",
    )
    planes = replace(
        flat,
        name=f"{flat.name}-planes",
        dimensions=(3,),
        view="planes",
    )
    inflated = replace(
        flat,
        name=f"{flat.name}-inflated",
        build=partial(build_torchvision, library_name, inflated=True),
        dimensions=(3,),
    )
    return [flat, planes, inflated]


def _video_kind(library_name: str, weights: str) -> NetworkKind:
    """A network for videos with weights of Kinetics-400."""
    return NetworkKind(
        f"video-{library_name}",
        partial(build_torchvision, library_name),
        dimensions=(3,),
        view="frames",
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
        weights=weights,
    )


def _medicalnet_kind(depth: int) -> NetworkKind:
    """A ResNet for volumes with weights of MedicalNet."""
    return NetworkKind(
        f"medicalnet-resnet{depth}",
        partial(build_medicalnet, depth),
        dimensions=(3,),
        weights=f"TencentMedicalNet/MedicalNet-Resnet{depth}/resnet_{depth}_23dataset.pth",
    )


_KINDS = [
    NetworkKind(
        "cnn",
        SimpleCNN,
        head="head",
        saliency_layer="conv2",
        smallest_side=4,
    ),
    NetworkKind("resnet", ResNet, head="head", saliency_layer="blocks"),
    NetworkKind("resnet-peaks", PeakResNet, head="head", saliency_layer="blocks"),
    NetworkKind("resnet10", partial(build_monai_resnet, "resnet10")),
    NetworkKind("resnet18", partial(build_monai_resnet, "resnet18")),
    NetworkKind("resnet50", partial(build_monai_resnet, "resnet50")),
    NetworkKind(
        "densenet121",
        build_monai_densenet121,
        head="class_layers.out",
        saliency_layer="class_layers.relu",
        smallest_side=32,
    ),
    *_torchvision_kinds(18),
    *_torchvision_kinds(34),
    *_torchvision_kinds(50),
    _video_kind("r3d_18", "R3D_18_Weights.KINETICS400_V1"),
    _video_kind("mc3_18", "MC3_18_Weights.KINETICS400_V1"),
    _video_kind("r2plus1d_18", "R2Plus1D_18_Weights.KINETICS400_V1"),
    _medicalnet_kind(10),
    _medicalnet_kind(18),
    _medicalnet_kind(34),
    _medicalnet_kind(50),
]

NETWORKS = {kind.name: kind for kind in _KINDS}
