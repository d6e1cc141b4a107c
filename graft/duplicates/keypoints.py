"""Keypoints: places that are found again after a shift, a mirror image or another window.

A keypoint is an extremum of the difference of two Gaussians (Lowe, IJCV 2004). Its descriptor has
the first moments of its surroundings, divided by their length, so that a change of brightness or
contrast does not matter. A mirror image changes the sign of the moments of odd order along its
axis. Every descriptor is therefore reversed along the axes on which its first moment is negative,
and it has the sign that makes the extremum a maximum. So mirror images and negatives have the
same descriptors.
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from graft.duplicates.fingerprints import mean_channel
from graft.duplicates.images import ImageList
from graft.duplicates.neighbours import draw_directions, hash_digits

SMALLEST = {2: 64, 3: 32}  # voxels along each axis that a larger plane or volume is reduced to
FINE = 1.0  # voxels, the deviation of the narrow Gaussian, which removes noise
WIDE = 2.5  # voxels, of the wide one
MIN_STRENGTH = 0.01  # of the window: weaker extrema are noise
NEIGHBOURHOOD = 3  # voxels along each axis, of which a keypoint is the strongest
REACH = {2: 6, 3: 4}  # voxels from a keypoint to the end of its surroundings
STEP = 2  # voxels between two samples of the surroundings
ORDER = {2: 5, 3: 3}  # of the moments, the highest: 20 numbers for a plane, 19 for a volume
MOST = {2: 48, 3: 24}  # keypoints of an image, the strongest
DIGITS = 64  # by which near descriptors are looked for


@dataclass(frozen=True)
class Keypoints:
    """K keypoints of several images with D axes."""

    image: np.ndarray  # (K,) the number of its image
    position: np.ndarray  # (K, D) in voxels of the reduced image
    reversed: np.ndarray  # (K, D) bool: the axes along which the descriptor was reversed
    descriptor: np.ndarray  # (K, F) float32 of length 1
    digits: np.ndarray  # (K, DIGITS) of the descriptor

    def of(self, selected: np.ndarray) -> "Keypoints":
        """Return some of the keypoints."""
        return Keypoints(*(getattr(self, field.name)[selected] for field in fields(self)))

    def of_images(self, images: np.ndarray) -> "Keypoints":
        """Return the keypoints of some images, each at most once, which are numbered from 0."""
        number = np.full(1 + max(self.image.max(initial=0), images.max(initial=0)), -1)
        number[images] = np.arange(len(images))
        chosen = self.of(np.flatnonzero(number[self.image] >= 0))
        return replace(chosen, image=number[chosen.image])

    @classmethod
    def joined(cls, several: Sequence["Keypoints"], counts: Sequence[int]) -> "Keypoints":
        """Return all keypoints of several sets of images, which are numbered on."""
        moved = []
        for keypoints, offset in zip(several, np.cumsum([0, *counts]), strict=False):
            moved.append(replace(keypoints, image=keypoints.image + offset))
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(each, name) for each in moved]) for name in names))


def reduce_image(image: np.ndarray) -> np.ndarray:
    """Return an image (C, *spatial) in grey, large ones as means of blocks: float32."""
    grey = mean_channel(image)
    factor = max(1, min(grey.shape) // SMALLEST[grey.ndim])
    if factor == 1:
        return grey
    whole = tuple(slice(size - size % factor) for size in grey.shape)
    blocks = []
    for size in grey.shape:
        blocks += [size // factor, factor]
    inner_axes = tuple(range(1, 2 * grey.ndim, 2))
    return grey[whole].reshape(blocks).mean(inner_axes)


def find_keypoints(images: ImageList, axes: int) -> Keypoints:
    """Find the keypoints of images (C, *spatial) of one size with 2 or 3 spatial axes."""
    powers, basis = _moments(axes)
    samples = len(basis)
    positions = [np.zeros((0, axes), np.int16)]
    patches = [np.zeros((0, samples), np.float32)]
    counts = []
    for number in range(len(images)):
        found, surroundings = _describe(reduce_image(images[number]))
        positions.append(found.astype(np.int16))
        patches.append(surroundings)
        counts.append(len(found))
    descriptor = np.concatenate(patches) @ basis  # (K, F)
    first_order = np.flatnonzero(powers.sum(1) == 1)
    along_axis = first_order[powers[first_order].argmax(1).argsort()]  # (D,) the first moments
    negative = descriptor[:, along_axis] < 0  # (K, D)
    is_odd = powers % 2  # (F, D)
    descriptor *= 1 - 2 * (negative @ is_odd.T % 2)
    lengths = np.linalg.norm(descriptor, axis=1, keepdims=True)
    descriptor /= np.maximum(lengths, np.finfo(np.float32).tiny)
    columns = [np.arange(len(powers))]
    return Keypoints(
        image=np.repeat(np.arange(len(counts)), counts),
        position=np.concatenate(positions),
        reversed=negative,
        descriptor=descriptor,
        digits=hash_digits(descriptor, columns, _directions(axes), signed=True),
    )


@functools.cache
def _directions(axes: int) -> list[np.ndarray]:
    powers, _ = _moments(axes)
    columns = [np.arange(len(powers))]
    return draw_directions(f"keypoints in {axes} dimensions", columns, DIGITS, signed=True)


def _describe(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (K, D) of the keypoints and samples (K, S) of their surroundings."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    axes = grey.ndim
    reach = REACH[axes]
    steps = np.arange(-reach, reach + 1, STEP)
    if min(grey.shape) <= 2 * reach:  # no surroundings would be inside
        return np.zeros((0, axes), int), np.zeros((0, len(steps) ** axes), np.float32)
    smooth = gaussian_filter(grey, FINE, mode="nearest", truncate=3)
    band = smooth - gaussian_filter(smooth, WIDE, mode="nearest", truncate=2)
    strength = np.abs(band)
    is_peak = (maximum_filter(strength, NEIGHBOURHOOD) == strength) & (strength > MIN_STRENGTH)
    peaks = np.argwhere(is_peak)
    inside = (peaks >= reach) & (peaks < np.array(grey.shape) - reach)
    peaks = peaks[inside.all(1)]
    values = band[tuple(peaks.T)]
    strongest = np.argsort(-np.abs(values), kind="stable")[: MOST[axes]]
    peaks = peaks[strongest]
    offsets = np.stack(np.meshgrid(*[steps] * axes, indexing="ij"), axis=-1)
    sampled = peaks[:, None] + offsets.reshape(-1, axes)  # (K, S, D)
    samples = smooth[tuple(np.moveaxis(sampled, -1, 0))]
    return peaks, samples * np.sign(values[strongest])[:, None]


@functools.cache
def _moments(axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the power (F, D) of each moment along each axis, and its weights (S, F).

    They are products of orthonormal polynomials. The mean is left out.
    """
    samples = 2 * REACH[axes] // STEP + 1
    place = np.linspace(-1, 1, samples)
    polynomials, _ = np.linalg.qr(np.vander(place, increasing=True))  # (samples, power)
    polynomials *= np.sign(polynomials[-1])
    powers = []
    weights = []
    for power in itertools.product(range(samples), repeat=axes):
        if not 0 < sum(power) <= ORDER[axes]:
            continue
        product = np.ones(())
        for each in power:
            product = np.multiply.outer(product, polynomials[:, each])
        powers.append(power)
        weights.append(product.ravel())
    return np.array(powers), np.stack(weights, axis=1).astype(np.float32)
