"""Similar volumes: compared by the lowest frequencies of their DCT, in all eight mirror images.

Only volumes that `neighbours` proposes are compared: filled ones by these frequencies, shapes on an
empty background by those of what lies in the box of the shape. The thresholds come from
measurements:

- Of 299,000 pairs of phantom lesions of two patients the nearest correlated by 0.746, of 218,000
  pairs of patches of one chest CT, in three windows, by 0.863. Copies brighter by 10 %, blurred by
  a voxel or resampled to 80 % of the size and back reached at least 0.978, and copies with noise of
  0.03 of the window at least 0.938.
- Shapes on an empty background, with or without noise, resemble each other: 37,600 of 280,000 pairs
  of LIDC nodules, cut out on black. Their voxels in the box of the shapes correlated by at most
  0.964. Those of copies that were brighter or in 8 bits correlated by 0.999, with noise of 0.02 of
  the window by 0.991, blurred by half a voxel by 0.978. Most copies that were blurred by a voxel or
  resampled to 80 % of the size and back fell below.
"""

import functools
from collections.abc import Iterator, Mapping

import numpy as np

from graft.duplicates.correlation import EVERYTHING, Box, image_correlation
from graft.duplicates.fingerprints import FILLED, DuplicatePair, mean_channel
from graft.duplicates.images import ImageList
from graft.duplicates.neighbours import all_near_pairs, draw_directions, hash_digits
from graft.duplicates.spectra import (
    frequencies,
    groups_of_signs,
    lowest_frequencies,
    mirror_images,
    unit_length,
)

EXPONENT = 1.5  # of the frequency, by which detail counts more than coarse brightness
MIN_COARSE = 0.92  # absolute correlation of the roots of the coefficients
MIN_FINE = 0.97  # absolute correlation of the voxels of two shapes
SMOOTHING = 1.0  # voxels, the deviation of the Gaussian that removes noise from the background
MIN_SHAPE = 64  # voxels: smaller shapes may agree by chance
BACKGROUND_LEVELS = 5  # of 255, by which a voxel may differ from an empty background
HASH_DIGITS = 128  # by which near volumes are looked for
# Digits that must agree. Of two spectra that correlate by 0.92, 65 do (standard deviation 6); of
# the content of two shapes that correlate by 0.95, 76.
AGREEING = 24
AGREEING_SHAPES = 48
TOGETHER = 4096  # pairs that are compared at once
NO_CONTENT = -1  # instead of the start of a box


def describe(volumes: np.ndarray) -> dict[str, np.ndarray]:
    """Return what volumes (N, C, X, Y, Z) of one size are compared by.

    Returns:
        `spectra` (N, K) of length 1; `digits` (N, HASH_DIGITS) uint8 of these, and `shape_digits`
        of what lies in the box of the content; and this box as `boxes` (N, 3, 2), start and stop
        along each axis. It is empty for EVERYTHING, and starts at NO_CONTENT without content.
    """
    shape = volumes.shape[2:]
    weights = np.hypot.reduce(frequencies(shape)) ** EXPONENT  # (K,)
    spectra = np.zeros((len(volumes), len(weights)), np.float32)
    contents = np.zeros_like(spectra)
    boxes = np.zeros((len(volumes), 3, 2), np.int16)
    for number, volume in enumerate(volumes):
        grey = mean_channel(volume)
        is_shape = find_shape(grey)
        box = enclosing_box(is_shape)
        boxes[number] = [[span.start, span.stop] for span in box] if box else 0
        if box is None:
            boxes[number] = NO_CONTENT
        spectra[number] = _spectrum(lowest_frequencies(grey) * weights)
        contents[number] = unit_length(lowest_frequencies(_content(grey, is_shape)))
    columns = groups_of_signs(shape)
    return {
        "spectra": spectra,
        "digits": hash_digits(spectra, columns, _directions(shape, "volumes")),
        "shape_digits": hash_digits(contents, columns, _directions(shape, "shapes")),
        "boxes": boxes,
    }


def similar_volumes(
    volumes: ImageList,
    described: Mapping[str, np.ndarray],
    groups: np.ndarray | None = None,
) -> Iterator[DuplicatePair]:
    """Yield the pairs of volumes that show the same picture.

    A volume and its mirror image or negative show the same picture.

    Args:
        volumes: N volumes (C, X, Y, Z) of one size.
        described: from `describe`.
        groups: (N,) 0 or 1, rising; if given, only pairs of a volume of each are looked for.
    """
    if not len(volumes):
        return
    boxes = described["boxes"]
    pairs = _proposed(described, groups)
    signs = _signs(volumes[0].shape[1:])
    for start in range(0, len(pairs), TOGETHER):
        block = pairs[start : start + TOGETHER]
        correlations = _correlate(described["spectra"], block, signs)  # (P, 8)
        strength = np.abs(correlations)  # a negative image correlates by -1
        for number in np.flatnonzero(strength.max(1) >= MIN_COARSE):
            first, second = block[number].tolist()
            mirror = int(strength[number].argmax())
            evidence = _evidence(
                volumes[first],
                volumes[second],
                boxes=(_box(boxes[first]), _box(boxes[second])),
                mirror=mirror,
                coarse=correlations[number, mirror],
            )
            if evidence:
                yield DuplicatePair(first, second, evidence)


def _proposed(described: Mapping[str, np.ndarray], groups: np.ndarray | None) -> np.ndarray:
    """Return the pairs (P, 2) that may be near, sorted."""
    boxes = described["boxes"]
    has_content = boxes[:, 0, 0] != NO_CONTENT
    is_shape = boxes[:, 0, 1] > 0
    filled = np.flatnonzero(has_content & ~is_shape)
    content = np.flatnonzero(has_content)
    pairs = [_near(described["digits"], filled, groups, AGREEING)]
    if is_shape.any():
        found = _near(described["shape_digits"], content, groups, AGREEING_SHAPES)
        pairs.append(found[is_shape[found].any(1)])
    joined = np.concatenate(pairs)
    return joined[np.lexsort(joined.T[::-1])]


def _near(
    digits: np.ndarray, rows: np.ndarray, groups: np.ndarray | None, agreeing: int
) -> np.ndarray:
    return rows[all_near_pairs(digits[rows], None if groups is None else groups[rows], agreeing)]


def _correlate(spectra: np.ndarray, pairs: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return the correlation of the spectra (N, K) of pairs (P, 2) in each mirror image: (P, 8).

    `signs` (8, K) are those of the coefficients in each mirror image.
    """
    products = spectra[pairs[:, 0]] * spectra[pairs[:, 1]]  # (P, K)
    return products @ signs.T


def _box(limits: np.ndarray) -> Box:
    """Return a box from its row of `describe`."""
    if not limits.any():
        return EVERYTHING
    return tuple(slice(start, stop) for start, stop in limits.tolist())


@functools.cache
def _directions(shape: tuple[int, ...], purpose: str) -> list[np.ndarray]:
    return draw_directions(purpose, groups_of_signs(shape), HASH_DIGITS)


def _signs(shape: tuple[int, ...]) -> np.ndarray:
    """Return the sign (8, K) of each coefficient in each mirror image."""
    odd_cosines = mirror_images(axes=3) @ frequencies(shape)  # odd if the sign changes
    return ((-1.0) ** odd_cosines).astype(np.float32)


def _evidence(
    first: np.ndarray,
    second: np.ndarray,
    boxes: tuple[Box, Box],
    mirror: int,
    coarse: float,
) -> str:
    """Describe how similar two volumes are whose spectra agree; "" if they differ after all."""
    kind = "coarse"
    correlation = coarse
    threshold = MIN_COARSE
    both_filled = (EVERYTHING, EVERYTHING)
    if boxes != both_filled:
        axes = np.flatnonzero(mirror_images(axes=3)[mirror]).tolist()
        kind = "fine"
        correlation = image_correlation(first, second, tuple(axes), boxes)
        threshold = MIN_FINE
    if not abs(correlation) >= threshold:  # true for NaN too
        return ""
    mirrored = ", mirrored" if mirror else ""
    return f"{kind} correlation {correlation:.3f}{mirrored}"


def _spectrum(weighted: np.ndarray) -> np.ndarray:
    """Return the signed roots of coefficients (K,), as a vector of length 1.

    Without the root, few large coefficients, as of a flat wall, would make two volumes similar.
    """
    return unit_length(np.sign(weighted) * np.sqrt(np.abs(weighted)))


def _content(grey: np.ndarray, is_shape: np.ndarray) -> np.ndarray:
    """Return an image (*spatial) with 0 outside the box of its shape, and a mean of 0 inside."""
    content = np.zeros_like(grey)
    box = enclosing_box(is_shape, filled=np.inf) or EVERYTHING
    content[box] = grey[box] - grey[box].mean()
    return content


def content_box(grey: np.ndarray, filled: float = FILLED) -> Box | None:
    """Return the box of a shape on an empty background, of an image (*spatial) in [0, 1].

    It is EVERYTHING if the share `filled` of the voxels differs from the background, and None if
    the shape is too small to compare.
    """
    return enclosing_box(find_shape(grey), filled)


def find_shape(grey: np.ndarray) -> np.ndarray:
    """Return which voxels of an image (*spatial) in [0, 1] differ from its background."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(grey, SMOOTHING)
    levels = np.round(255 * smooth).astype(np.int16)
    voxels_of_level = np.bincount(levels.ravel())
    background = voxels_of_level.argmax()
    return np.abs(levels - background) > BACKGROUND_LEVELS


def enclosing_box(is_shape: np.ndarray, filled: float = FILLED) -> Box | None:
    """Return the box of a shape (*spatial), with the same meaning as in `content_box`."""
    if is_shape.mean() >= filled:
        return EVERYTHING
    if is_shape.sum() < MIN_SHAPE:
        return None
    spans = []
    for positions in np.nonzero(is_shape):
        start = int(positions.min())
        stop = int(positions.max()) + 1
        spans.append(slice(start, stop))
    return tuple(spans)
