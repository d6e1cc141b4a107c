"""What parameters would cost together, although each of them alone is possible."""

import math
from collections.abc import Sequence

MOST_BYTES = 16 * 2**30  # of one image and its transforms, as the first layer describes them
MOST_TRAININGS = 100_000
BYTES_PER_NUMBER = 4  # float32
FIRST_PLANES = 64  # of the first layer of the networks of libraries
CELL_WEIGHTS = 64 * 128  # of the dense layer of `cnn`, for each cell of 4 voxels a side


def check_memory(network: str, width: int, patch: Sequence[int], transforms: int) -> None:
    """Estimate the memory of one image in training, from the first layer at full resolution.

    Strides make the layer itself smaller, and later layers and gradients make the sum larger.

    Args:
        network: its name.
        width: the number of planes of the first block of `resnet`.
        patch: the sides of the image, in voxels.
        transforms: M, the transformed copies of the image in a batch.

    Raises:
        ValueError: if it is more than MOST_BYTES.
    """
    own_planes = {"resnet": width, "resnet-peaks": width, "cnn": CELL_WEIGHTS // 4 ** len(patch)}
    planes = own_planes.get(network, FIRST_PLANES)
    estimated = math.prod(patch) * planes * (1 + transforms) * BYTES_PER_NUMBER
    if estimated > MOST_BYTES:
        raise ValueError(
            f"preprocess.patch: got {list(patch)} with network.name {network!r}, network.width "
            f"{width} and up to {transforms} transforms, about {estimated / 2**30:,.0f} GiB for "
            f"one image, expected at most {MOST_BYTES / 2**30:.0f} GiB"
        )


def check_trainings(key: str, **factors: int) -> None:
    """Check the number of trainings that a section asks for.

    Args:
        key: the section.
        factors: their product is the number of trainings.

    Raises:
        ValueError: if it is more than MOST_TRAININGS.
    """
    trainings = math.prod(factors.values())
    if trainings > MOST_TRAININGS:
        listed = " × ".join(f"{number} {name}" for name, number in factors.items())
        raise ValueError(
            f"{key}: got {listed}, which is {trainings:,} trainings, "
            f"expected at most {MOST_TRAININGS:,}"
        )
