"""The correlation of two images, within the boxes that contain their content."""

import numpy as np

from graft.duplicates.fingerprints import mean_channel

Box = tuple[slice, ...]
EVERYTHING: Box = ()  # the box of an image that is filled


def image_correlation(
    first: np.ndarray,
    second: np.ndarray,
    mirrored_axes: tuple[int, ...],
    boxes: tuple[Box, Box] = (EVERYTHING, EVERYTHING),
) -> float:
    """Compute Pearson's correlation of an image and a mirror image of another, in grey values.

    Args:
        first: (C, *spatial).
        second: (C, *spatial), of the same size.
        mirrored_axes: the axes of `spatial` along which `second` is reversed.
        boxes: where the content of each image lies. Only the smallest box around both is compared.

    Returns:
        The correlation, from -1 to 1; NaN if an image has only one value there.
    """
    axes_after_channels = tuple(1 + axis for axis in mirrored_axes)
    mirrored = np.flip(second, axes_after_channels)
    spatial = first.shape[1:]
    first_box, second_box = boxes
    mirrored_box = _mirror_box(second_box, mirrored_axes, spatial)
    box = _enclose(first_box, mirrored_box)
    all_channels = slice(None)
    region = (all_channels, *box)
    first_grey = mean_channel(first[region])
    second_grey = mean_channel(mirrored[region])
    with np.errstate(invalid="ignore"):
        matrix = np.corrcoef(first_grey.ravel(), second_grey.ravel())  # (2, 2)
    return float(matrix[0, 1])


def _mirror_box(box: Box, axes: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    """Return the box after a mirror image of the given axes, in an image of `shape`."""
    if box == EVERYTHING:
        return box
    spans = list(box)
    for axis in axes:
        span = box[axis]
        size = shape[axis]
        spans[axis] = slice(size - span.stop, size - span.start)
    return tuple(spans)


def _enclose(first: Box, second: Box) -> Box:
    """Return the smallest box around two, or the other one if one of them is EVERYTHING."""
    if first == EVERYTHING:
        return second
    if second == EVERYTHING:
        return first
    spans = []
    for one, other in zip(first, second, strict=True):
        start = min(one.start, other.start)
        stop = max(one.stop, other.stop)
        spans.append(slice(start, stop))
    return tuple(spans)
