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
    """Pearson's correlation of the grey values of an image and a mirror image of another.

    Args:
        first: (C, *spatial).
        second: (C, *spatial), of the same size.
        mirrored_axes: The axes of `spatial` along which `second` is reversed.
        boxes: Where the content of each image lies. Only the smallest box around both is compared.

    Returns:
        From -1 to 1, or NaN if an image has only one value there.
    """
    mirrored = np.flip(second, tuple(1 + axis for axis in mirrored_axes))
    box = _enclose(boxes[0], _mirror_box(boxes[1], mirrored_axes, first.shape[1:]))
    region = (slice(None), *box)
    one = mean_channel(first[region]).ravel()
    other = mean_channel(mirrored[region]).ravel()
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef(one, other)[0, 1])


def _mirror_box(box: Box, axes: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    if box == EVERYTHING:
        return box
    mirrored = []
    for axis, (span, size) in enumerate(zip(box, shape, strict=True)):
        is_mirrored = axis in axes
        mirrored.append(slice(size - span.stop, size - span.start) if is_mirrored else span)
    return tuple(mirrored)


def _enclose(first: Box, second: Box) -> Box:
    """The smallest box around two, or the other one if one of them is EVERYTHING."""
    if first == EVERYTHING or second == EVERYTHING:
        return first or second
    spans = []
    for one, other in zip(first, second, strict=True):
        spans.append(slice(min(one.start, other.start), max(one.stop, other.stop)))
    return tuple(spans)
