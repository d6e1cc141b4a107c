"""Similar volumes: compared by the lowest frequencies of their DCT, in all eight mirror images.

The thresholds come from measurements:

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

from collections.abc import Iterator

import numpy as np

from graft.duplicates.correlation import EVERYTHING, Box, image_correlation
from graft.duplicates.fingerprints import FILLED, DuplicatePair, mean_channel

FREQUENCIES = 8  # of the DCT along each axis, the lowest
EXPONENT = 1.5  # of the frequency, by which detail counts more than coarse brightness
MIN_COARSE = 0.92  # absolute correlation of the roots of the coefficients
MIN_FINE = 0.97  # absolute correlation of the voxels of two shapes
SMOOTHING = 1.0  # voxels, the deviation of the Gaussian that removes noise from the background
MIN_SHAPE = 64  # voxels: smaller shapes may agree by chance
BACKGROUND_LEVELS = 5  # of 255, by which a voxel may differ from an empty background
BLOCK = 32  # images compared with all others at once
MIRRORED_AXES = np.indices((2, 2, 2)).reshape(3, -1).T  # (8, 3): 1 if a mirror image reverses it


def similar_volumes(volumes: list[np.ndarray]) -> Iterator[DuplicatePair]:
    """Yield the pairs of volumes (C, X, Y, Z) of one size that show the same picture.

    A volume and its mirror image or negative show the same picture.
    """
    boxes = {}
    for number, volume in enumerate(volumes):
        box = content_box(mean_channel(volume))
        if box is not None:
            boxes[number] = box
    numbers = list(boxes)
    spectra, signs = _spectra([volumes[number] for number in numbers])
    for row, other_row, mirror, coarse in _near_spectra(spectra, signs):
        first = numbers[row]
        second = numbers[other_row]
        evidence = _evidence(
            volumes[first],
            volumes[second],
            boxes=(boxes[first], boxes[second]),
            mirror=mirror,
            coarse=coarse,
        )
        if evidence:
            yield DuplicatePair(first, second, evidence)


def _near_spectra(
    spectra: np.ndarray,
    signs: np.ndarray,
) -> Iterator[tuple[int, int, int, float]]:
    """Yield the pairs of rows that correlate in a mirror image, the best one, and its correlation.

    Args:
        spectra: (N, K) of length 1.
        signs: (8, K) of each mirror image.
    """
    for start in range(0, len(spectra), BLOCK):
        end = start + BLOCK
        block = spectra[start:end]
        later = spectra[start:]  # (M, K)
        by_mirror = []
        for sign in signs:
            mirrored = block * sign
            by_mirror.append(mirrored @ later.T)
        correlations = np.stack(by_mirror)  # (8, BLOCK, M)
        strength = np.abs(correlations)  # a negative image correlates by -1
        is_near = strength.max(0) >= MIN_COARSE
        for row, column in np.argwhere(is_near).tolist():
            if row < column:
                mirror = int(strength[:, row, column].argmax())
                yield start + row, start + column, mirror, correlations[mirror, row, column]


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
        axes = np.flatnonzero(MIRRORED_AXES[mirror]).tolist()
        kind = "fine"
        correlation = image_correlation(first, second, tuple(axes), boxes)
        threshold = MIN_FINE
    if not abs(correlation) >= threshold:  # true for NaN too
        return ""
    mirrored = ", mirrored" if mirror else ""
    return f"{kind} correlation {correlation:.3f}{mirrored}"


def _spectra(volumes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (N, K) of length 1 and the signs (8, K) they have in each mirror image.

    The mean is not among the coefficients. Reversing an axis changes the sign of the odd cosines
    along it (Ahmed et al., Discrete cosine transform, 1974), so no volume is transformed twice.
    """
    from scipy.fft import dctn

    if not volumes:
        return np.zeros((0, 1)), np.ones((8, 1))
    lowest = (slice(FREQUENCIES),) * 3
    transformed = []
    for volume in volumes:
        grey = mean_channel(volume)
        spectrum = dctn(grey, norm="ortho")
        transformed.append(spectrum[lowest])
    cubes = np.stack(transformed)  # (N, F, F, F)
    frequencies = np.indices(cubes.shape[1:]).reshape(3, -1)  # (3, 1 + K)
    frequencies = frequencies[:, 1:]  # (3, K) without the mean
    coefficients = cubes.reshape(len(volumes), -1)  # (N, 1 + K)
    coefficients = coefficients[:, 1:]
    weights = np.hypot.reduce(frequencies) ** EXPONENT
    spectra = coefficients * weights.astype(np.float32)
    # Without the root, few large coefficients, as of a flat wall, would make two volumes similar.
    spectra = np.sign(spectra) * np.sqrt(np.abs(spectra))
    lengths = np.linalg.norm(spectra, axis=1, keepdims=True)
    spectra = spectra / lengths
    odd_cosines = MIRRORED_AXES @ frequencies  # (8, K) odd if the sign changes
    signs = (-1.0) ** odd_cosines
    return spectra, signs.astype(np.float32)


def content_box(grey: np.ndarray, filled: float = FILLED) -> Box | None:
    """Return the box of a shape on an empty background, of an image (*spatial) in [0, 1].

    It is EVERYTHING if the share `filled` of the voxels differs from the background, and None if
    the shape is too small to compare.
    """
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(grey, SMOOTHING)
    levels = np.round(255 * smooth).astype(np.int16)
    voxels_of_level = np.bincount(levels.ravel())
    background = voxels_of_level.argmax()
    differences = np.abs(levels - background)
    is_shape = differences > BACKGROUND_LEVELS
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
