"""The lowest frequencies of an image, by which near copies are looked for.

Reversing an axis changes the sign of the odd cosines along it (Ahmed et al., Discrete cosine
transform, 1974). So a mirror image has the same coefficients but for the signs of some groups.
"""

from collections.abc import Sequence

import numpy as np

FREQUENCIES = {2: 16, 3: 8}  # of the DCT of a plane or a volume along each axis, the lowest


def lowest_frequencies(grey: np.ndarray) -> np.ndarray:
    """Return the lowest coefficients (K,) of the DCT of an image (*spatial), without the mean."""
    from scipy.fft import dctn

    lowest = (slice(FREQUENCIES[grey.ndim]),) * grey.ndim
    return dctn(grey, norm="ortho")[lowest].ravel()[1:]


def frequencies(shape: Sequence[int]) -> np.ndarray:
    """Return the frequency along each of D axes of the coefficients of an image: (D, K)."""
    number = FREQUENCIES[len(shape)]
    kept = [min(number, size) for size in shape]
    return np.indices(kept).reshape(len(shape), -1)[:, 1:]


def mirror_images(axes: int) -> np.ndarray:
    """Return whether each mirror image reverses each axis: (2 ** D, D) of 0 and 1."""
    return np.indices((2,) * axes).reshape(axes, -1).T


def groups_of_signs(shape: Sequence[int]) -> list[np.ndarray]:
    """Return the numbers of the coefficients whose sign changes in the same mirror images."""
    is_odd = frequencies(shape) % 2  # (D, K)
    weights = 2 ** np.arange(len(shape))[::-1]
    group = weights @ is_odd  # (K,)
    return [np.flatnonzero(group == number) for number in range(2 ** len(shape))]


def unit_length(vector: np.ndarray) -> np.ndarray:
    """Return a vector with the length 1, or zeros if it has no length."""
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else np.zeros_like(vector)
