"""The parameters of the network."""

from typing import Annotated, Literal

from pydantic import Field

from graft.common.parameters import Section

Device = Literal["auto", "cpu", "cuda"]


class Network(Section):
    """A network by name, and its width if it has one."""

    name: Literal[
        "resnet",
        "resnet-peaks",
        "cnn",
        "resnet10",
        "resnet18",
        "resnet50",
        "densenet121",
        "torchvision-resnet18",
        "torchvision-resnet18-planes",
        "torchvision-resnet18-inflated",
        "torchvision-resnet34",
        "torchvision-resnet34-planes",
        "torchvision-resnet34-inflated",
        "torchvision-resnet50",
        "torchvision-resnet50-planes",
        "torchvision-resnet50-inflated",
        "video-r3d_18",
        "video-mc3_18",
        "video-r2plus1d_18",
        "medicalnet-resnet10",
        "medicalnet-resnet18",
        "medicalnet-resnet34",
        "medicalnet-resnet50",
    ]
    width: Annotated[int, Field(ge=8, le=512, multiple_of=8)]  # common ResNets have 64


class Predict(Section):
    """How a model predicts that was trained on the target. No training depends on it.

    Attributes:
        mirror: whether it predicts the mean over all mirror images of an image.
    """

    mirror: bool
