"""Shifted copies: images that show the same picture, cut out elsewhere.

Keypoints with similar descriptors propose a mirror image and a shift, and the overlap is compared.
The thresholds come from measurements of the nearest pairs of different pictures, after alignment
(coarse and detail are the two correlations below):

- 264 cubes of one chest CT that do not overlap, in four windows: detail 0.921, coarse 0.993.
- Phantom lesions of two patients, 564 of the lung and 210 of the liver: detail 0.773, coarse 0.961;
  1,152 of the liver in MR: detail 0.968, coarse 0.996, and 0.988 as shapes on an empty background.
- 815 LIDC nodules, cut out on black: 0.972 as shapes; otherwise detail 0.948 with coarse 0.964, for
  two smooth balls. 1,584 masks of adrenal glands: none reached 0.85.
- 1,800 volumes of Gaussian noise, smoothed by 0.5 to 6 voxels: detail 0.545.
- 58 sonograms of the liver: detail 0.591.

`benchmarks/shifted_copies.py` measures how many copies are found; docs/leaks.md has the result.
"""

from collections.abc import Iterator

import numpy as np

from graft.duplicates.alignment import Alignment, detail, pearson, with_fraction
from graft.duplicates.correlation import EVERYTHING, image_correlation
from graft.duplicates.fingerprints import DuplicatePair
from graft.duplicates.images import ImageList
from graft.duplicates.keypoints import Keypoints, find_keypoints, reduce_image
from graft.duplicates.neighbours import distinct, near_pairs
from graft.duplicates.volumes import content_box

NEAREST = 4  # keypoints of other images that each keypoint is compared with
MAX_DISTANCE = 0.4  # of two descriptors of length 1
MIN_VOTES = 2  # keypoints that agree about the shift
FEW = 3  # keypoints of an image: with no more of them, one vote is enough
PREFIX = 4  # digits in a row that near descriptors share
AGREEING = 28  # digits, of 64; at a distance of 0.3 41 do (standard deviation 4)
STEP = 4  # digits between those that keypoints are sorted from
TOLERANCE = 1  # voxels along each axis by which votes may differ
MAX_SHIFT = 0.25  # of the image along each axis
MIN_OVERLAP = 0.4  # of the image
MIN_DETAIL = 0.98  # absolute correlation of the detail of two images
MIN_COARSE = 0.97  # absolute correlation of two images as they are, in the box of their content
# Absolute correlations of a pair that may be one, before its shift is known to a part of a voxel.
# The lowest of a copy that was found then are 0.93 and 0.88.
WORTH_REFINING = 0.85
DETAIL_WORTH_REFINING = 0.8
FILLED = 0.5  # share of voxels that differ from the background, unless the image is a shape
MIN_SHAPE = 0.993  # absolute correlation of two shapes on an empty background, in their box


def shifted_copies(
    images: ImageList,
    groups: np.ndarray | None = None,
    keypoints: Keypoints | None = None,
) -> Iterator[DuplicatePair]:
    """Yield the pairs of images (C, *spatial) of one size that overlap in the same picture.

    Args:
        images: N planes or volumes.
        groups: (N,) 0 or 1, rising; if given, each image is only compared with those of the other
            group.
        keypoints: of the images, if they are known already.
    """
    if not len(images):
        return
    if keypoints is None:
        keypoints = find_keypoints(images, axes=images[0].ndim - 1)
    shape = reduce_image(images[0]).shape
    found = set()
    for alignment in _alignments(keypoints, shape, groups):
        pair = (alignment.first, alignment.second)
        if pair in found:
            continue
        evidence = _evidence(alignment, images)
        if evidence:
            found.add(pair)
            yield DuplicatePair(*pair, evidence)


def _alignments(
    keypoints: Keypoints, shape: tuple[int, ...], groups: np.ndarray | None
) -> Iterator[Alignment]:
    """Yield the alignments of two images that enough of their keypoints agree about."""
    first, second = _matches(keypoints, groups)
    mirrored = first.reversed != second.reversed  # (M, D)
    size = np.array(shape)
    position = np.where(mirrored, size - 1 - second.position, second.position)
    shifts = first.position - position  # (M, D)
    is_possible = (np.abs(shifts) <= MAX_SHIFT * size + TOLERANCE).all(1)
    keys = np.column_stack([first.image, second.image, mirrored])[is_possible]
    shifts = shifts[is_possible]
    counts = np.bincount(keypoints.image)
    different, which = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.searchsorted(which[order], np.arange(1, len(different)))
    for key, votes in zip(different, np.split(shifts[order], starts), strict=False):
        one, other = key[:2].tolist()
        agreeing = _largest_agreement(votes)
        needed = MIN_VOTES if min(counts[one], counts[other]) > FEW else 1
        if len(agreeing) >= needed:
            shift = agreeing.mean(0).round().astype(int)
            axes = np.flatnonzero(key[2:]).tolist()
            yield Alignment(one, other, tuple(axes), tuple(shift.tolist()))


def _largest_agreement(votes: np.ndarray) -> np.ndarray:
    """Return the votes (A, D) near the one that most of the votes (V, D) are near."""
    apart = np.abs(votes[:, None] - votes).max(-1)  # (V, V)
    is_near = apart <= TOLERANCE
    return votes[is_near[is_near.sum(1).argmax()]]


def _matches(keypoints: Keypoints, groups: np.ndarray | None) -> tuple[Keypoints, Keypoints]:
    """Return the two keypoints of each match: near descriptors in two images, in their order.

    Each keypoint is matched with the NEAREST to it. With groups, only those of the second ask.
    """
    count = max(1, len(keypoints.image))
    of_keypoint = None if groups is None else groups[keypoints.image]
    best = (np.zeros((0, 2), int), np.zeros(0, np.float32))
    for pairs in near_pairs(keypoints.digits, of_keypoint, PREFIX, AGREEING, STEP):
        images = keypoints.image[pairs]
        pairs = pairs[images[:, 0] != images[:, 1]]
        descriptors = keypoints.descriptor[pairs]  # (P, 2, F)
        distances = np.linalg.norm(descriptors[:, 0] - descriptors[:, 1], axis=1)
        is_near = distances <= MAX_DISTANCE
        asking = pairs[is_near]  # the second of each pair asks
        distances = distances[is_near]
        if groups is None:
            asking = np.concatenate([asking, asking[:, ::-1]])
            distances = np.concatenate([distances, distances])
        joined = np.concatenate([best[0], asking]), np.concatenate([best[1], distances])
        best = _nearest(*joined)
    keys = np.sort(best[0], axis=1) @ [count, 1]
    first, second = np.divmod(distinct(keys), count)
    return keypoints.of(first), keypoints.of(second)


def _nearest(pairs: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the NEAREST pairs (P, 2) of each second number, each once, and their distances."""
    order = np.lexsort((pairs[:, 0], distances, pairs[:, 1]))
    pairs, distances = pairs[order], distances[order]
    is_new = np.append(True, (np.diff(pairs, axis=0) != 0).any(1))[: len(pairs)]
    pairs, distances = pairs[is_new], distances[is_new]
    _, starts, counts = np.unique(pairs[:, 1], return_index=True, return_counts=True)
    rank = np.arange(len(pairs)) - np.repeat(starts, counts)
    return pairs[rank < NEAREST], distances[rank < NEAREST]


def _evidence(alignment: Alignment, images: ImageList) -> str:
    """Describe how well two images agree in their overlap; "" if they differ after all."""
    first = reduce_image(images[alignment.first])
    second = reduce_image(images[alignment.second])
    one, other = alignment.overlap(first, second)
    share = one.size / first.size
    if share < MIN_OVERLAP or abs(pearson(one, other)) < WORTH_REFINING:
        return ""
    details = (detail(one), detail(other))
    if abs(pearson(*details)) < DETAIL_WORTH_REFINING:
        return ""
    for pair in with_fraction(one, other, details):
        correlation = _coarse_agreement(*pair)
        if correlation >= MIN_COARSE and _details_agree(*pair, correlation):
            mirrored = "mirrored and " if alignment.mirrored else ""
            return f"{mirrored}shifted, correlation {correlation:.3f} in {share:.0%} of the image"
    return ""


def _coarse_agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Return the absolute correlation of two images (*spatial) in the box of their content.

    It is 0 if a shape is too small to compare, and for planes that are mostly empty.
    """
    box = content_box(one, FILLED)
    other_box = content_box(other, FILLED)
    if box is None or other_box is None:
        return 0.0
    is_filled = box == other_box == EVERYTHING
    if one.ndim == 2 and not is_filled:
        return 0.0
    return abs(image_correlation(one[None], other[None], (), (box, other_box)))


def _details_agree(one: np.ndarray, other: np.ndarray, correlation: float) -> bool:
    """Whether the detail is the same, or two shapes on an empty background are."""
    if content_box(one) == content_box(other) == EVERYTHING:
        return abs(pearson(detail(one), detail(other))) >= MIN_DETAIL
    return correlation >= MIN_SHAPE
