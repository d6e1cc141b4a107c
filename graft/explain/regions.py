"""Where lesions lie in their patches, if the domain has this information."""

import numpy as np

from graft.data.batches import consecutive
from graft.data.domain import Domain
from graft.data.image_rows import ImageRows

MASK = "mask"
BALL = "ball of the diameter"
AT_ONCE = 64  # regions


def region_kind(domain: Domain) -> str | None:
    """MASK if the domain has masks, BALL if it has diameters and a spacing in mm, else None."""
    if domain.masks is not None:
        return MASK
    has_diameters = domain.preprocessing.get("size") == "diameter in mm"
    has_spacing = bool(domain.preprocessing.get("spacing"))
    return BALL if has_diameters and has_spacing else None


def lesion_regions(domain: Domain, rows: np.ndarray) -> np.ndarray | None:
    """Find the voxels of the lesions of N rows: (N, *patch) bool, or None if they are unknown.

    A lesion without a mask, in a domain that has masks, gets a region without voxels. A ball has
    the lesion's diameter and lies in the middle of the patch, because patches are centred on their
    lesions. In two dimensions it is a disc.
    """
    if domain.masks is not None:
        return ImageRows(domain.masks, rows)[:] > 0
    if region_kind(domain) == BALL:
        patch = domain.images.shape[2:]
        distance = distance_from_centre(patch, domain.preprocessing["spacing"])
        diameters = domain.index["size"].to_numpy(float)[rows]  # (N,) mm
        radii = diameters / 2
        ones = [1] * distance.ndim
        return distance <= radii.reshape(-1, *ones)
    return None


def occupied_shares(domain: Domain, rows: np.ndarray) -> np.ndarray:
    """The share of the patch that the region of each of N rows occupies: (N,).

    The domain must have regions. Some of them are made at a time.
    """
    shares = [np.zeros(0)]
    for part in consecutive(len(rows), AT_ONCE):
        regions = lesion_regions(domain, rows[part])
        assert regions is not None, "the domain has regions"
        shares.append(regions.reshape(len(regions), -1).mean(1))
    return np.concatenate(shares)


def distance_from_centre(patch: tuple[int, ...], spacing: list[float]) -> np.ndarray:
    """The distance in mm of each voxel from the middle of a patch: (*patch).

    The middle of an axis of n voxels is at (n - 1) / 2.
    """
    squares = np.zeros(())
    for axis, (side, mm) in enumerate(zip(patch, spacing, strict=True)):
        centre = (side - 1) / 2
        offsets = (np.arange(side) - centre) * mm  # (side,)
        behind = [1] * (len(patch) - axis - 1)
        squares = squares + offsets.reshape(-1, *behind) ** 2
    return np.sqrt(squares)
