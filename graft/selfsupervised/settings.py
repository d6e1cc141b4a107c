"""The parameters of self-supervised pretraining."""

from typing import Annotated, Literal

from pydantic import Field

from graft.common.parameters import Section

VIEWS = 2  # transforms of each image


class SelfSupervise(Section):
    """How a network learns from images without labels.

    Attributes:
        epochs: 0 turns self-supervision off.
        lr: the learning rate at the start.
        batch: images per step, whose pairs of views are told apart.
        temperature: τ of the NT-Xent loss.
        domains: `both` learns from images of source and target, `source` from those of the source.
    """

    epochs: Annotated[int, Field(ge=0, le=100_000)]
    lr: Annotated[float, Field(ge=1e-12, le=10)]
    batch: Annotated[int, Field(ge=2, le=4096)]  # all views of a step are compared with each other
    temperature: Annotated[float, Field(ge=0.01, le=100)]
    domains: Literal["both", "source"]
