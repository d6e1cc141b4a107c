"""Label maps: masks as volumes, in which one number per structure marks its voxels."""

import numpy as np

from graft.common.files import InputError
from graft.grids.volume import Voxels

MAX_LISTED = 8  # labels in an error


def select_label(voxels: Voxels, segment: str) -> np.ndarray:
    """The voxels (I, J, K) uint8 that are 1 inside one structure of a label map.

    Args:
        voxels: 0 outside. A map with one other number, whichever it is, has one structure.
        segment: The number of the structure, or "" if there is only one.

    Raises:
        InputError: Without the path, if there are several structures and none is named, if the
            named one is missing, or if the voxels are probabilities or shares instead of labels.
    """
    values = np.asarray(voxels)
    if not np.isfinite(values).all():
        raise InputError("has NaN or infinity, expected a mask of whole numbers")
    labels = np.unique(values[values != 0])
    if not len(labels):
        return np.zeros(values.shape, np.uint8)
    if segment == "" and len(labels) == 1 and labels[0] > 0:
        return (values == labels[0]).astype(np.uint8)
    shares = labels[labels % 1 != 0]
    if len(shares):
        raise InputError(
            f"has values such as {shares[0]:.4g}, as probabilities or after interpolation, "
            "expected whole numbers: apply a threshold first"
        )
    names = [str(int(label)) for label in labels]
    if segment in names:
        return (values == labels[names.index(segment)]).astype(np.uint8)
    more = ", ..." if len(names) > MAX_LISTED else ""
    listed = ", ".join(names[:MAX_LISTED]) + more
    missing = f" and not {segment}" if segment else ""
    raise InputError(
        f"has the labels {listed}{missing}, expected the column segment to name one of them"
    )
