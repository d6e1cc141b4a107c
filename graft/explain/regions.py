"""Where in each patch the lesion lies, as far as a domain knows it."""

import numpy as np

from graft.data.domain import Domain

MASK, BALL = "mask", "ball of the diameter"


def kind(domain: Domain) -> str | None:
    """MASK where the domain has masks, else BALL where it has diameters and a spacing in mm, else None."""
    if domain.masks is not None:
        return MASK
    measured = domain.preprocessing.get("size") == "diameter in mm" and domain.preprocessing.get(
        "spacing"
    )
    return BALL if measured else None


def regions(domain: Domain, rows: np.ndarray) -> np.ndarray | None:
    """What belongs to the lesions of these rows: (N, *spatial) bool, or None where nothing says it.

    All False for a lesion without a mask in a domain that has some. A ball has the lesion's diameter and lies in
    the middle of the patch, as patches are centred on their lesions; of two dimensions, it is a disc.
    """
    found = kind(domain)
    if found == MASK:
        return np.asarray(domain.masks[rows]) > 0
    if found == BALL:
        distance = from_centre(domain.images.shape[2:], domain.preprocessing["spacing"])
        radii = domain.index["size"].to_numpy(float)[rows] / 2
        return distance <= radii.reshape(-1, *[1] * distance.ndim)
    return None


def from_centre(patch: tuple[int, ...], spacing: list[float]) -> np.ndarray:
    """The distance in mm of each voxel from the middle of a patch, which lies at (n - 1) / 2: (*patch)."""
    axes = [
        (np.arange(side) - (side - 1) / 2) * mm for side, mm in zip(patch, spacing, strict=True)
    ]
    return np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
