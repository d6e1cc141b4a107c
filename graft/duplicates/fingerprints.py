"""What tells one image from another, and one picture twice from two that are alike: planes by hash, volumes by DCT."""

import hashlib
from collections.abc import Iterator

import numpy as np

DIGITS = 16  # hexadecimal, of the digest and of each perceptual hash
MIRRORS = ((), (0,), (1,), (0, 1))  # axes of a plane turned round
FILLED = 0.1  # share of pixels off the commonest value, below which a shape on an empty ground is like any other
# A pair of planes must pass both. Of 58 liver sonograms saved again as JPEG 50, at 80 % of the size, 10 % brighter, and
# all three mirrored, the furthest copy was 4 bits away and correlated by 0.998; of their 1,653 pairs the nearest was 8
# bits away, none correlated by 0.9. Of 12.7 million pairs of LIDC nodule slices of different patients, cut out on
# black, 4.7 million were within 6 bits; where FILLED held none of these correlated by more than 0.991.
BITS = 6  # of 64, by which two hashes may differ
CORRELATION = 0.995  # of the pixels, from which two planes are one
# Volumes, in all eight mirror images: of 299,000 pairs of phantom lesions of two patients the nearest correlated by
# 0.746, of 218,000 pairs of patches of one chest CT, in three windows, by 0.863. Copies brighter by 10 %, blurred by a
# voxel or by way of 80 % of the size came to 0.978 or more, with noise of 0.03 of the window to 0.938.
# Shapes on an empty ground, noisy or not, are all alike so: 37,600 of 280,000 pairs of LIDC nodules, cut out on black.
# Their voxels where the shapes lie correlated by no more than 0.964; those of copies brighter or in 8 bits by 0.999,
# with noise of 0.02 of the window by 0.991, blurred by half a voxel by 0.978. By a voxel, or by way of 80 %, most fell
# below.
FREQUENCIES = 8  # of the DCT along each axis, the lowest
EXPONENT = 1.5  # of the frequency, by which an image's coarse brightness gives way to its detail
COARSE = 0.92  # correlation of the roots of these coefficients, up to its sign, from which two volumes are one
FINE = 0.97  # correlation of the voxels of two shapes, up to its sign, from which these are one
SMOOTH = 1.0  # voxels, the deviation of the Gaussian that takes the noise off an empty ground
LEAST = 64  # voxels of a shape, below which it may be another's by chance
OFF = 5  # of 255, by which a voxel differs from an empty ground
BLOCK = 32  # images compared at once with all others

TURNED = (
    np.indices((2, 2, 2)).reshape(3, -1).T
)  # (8, 3), the axes of a volume that a mirror image turns round

Box = tuple[slice, ...]
Near = tuple[int, int, str]  # two images, and how far apart they are


def hashes(images: np.ndarray) -> list[str]:
    """What tells images (N, C, *spatial) in [0, 1] apart, in hexadecimal digits.

    16 digits of the SHA-256 of its bytes; for planes with content, then 16 of the perceptual hash (pHash of
    64 bits, Zauner 2010) of the image and of each of its mirror images.
    """
    return [
        hashlib.sha256(np.ascontiguousarray(image)).hexdigest()[:DIGITS] + _perceptual(image)
        for image in images
    ]


def near_planes(codes: list[str], planes: list[np.ndarray]) -> Iterator[Near]:
    """The pairs one < other of planes (C, rows, columns) that are one picture, by their `hashes` and their pixels."""
    filled = np.array([number for number, code in enumerate(codes) if len(code) > DIGITS], int)
    bits = np.array([_words(codes[number][DIGITS:]) for number in filled], np.uint64).reshape(
        -1, len(MIRRORS)
    )
    for one, other, mirror in _near_bits(bits):
        pair = int(filled[one]), int(filled[other])
        alike = _correlation(planes[pair[0]], planes[pair[1]], MIRRORS[mirror])
        if alike >= CORRELATION:
            differ = np.bitwise_count(bits[one, 0] ^ bits[other, mirror])
            yield (
                *pair,
                f"{differ} of 64 bits apart{', mirrored' if mirror else ''}, correlation {alike:.3f}",
            )


def near_volumes(volumes: list[np.ndarray]) -> Iterator[Near]:
    """The pairs one < other of volumes (C, X, Y, Z) of one size that are one picture, mirrored or light for dark."""
    boxes = [_content(volume) for volume in volumes]
    kept = [number for number, box in enumerate(boxes) if box is not None]
    spectra, signs = _spectra([volumes[number] for number in kept])
    for start in range(0, len(kept), BLOCK):
        block, later = spectra[start : start + BLOCK], spectra[start:]
        coarse = np.stack([(block * sign) @ later.T for sign in signs])  # (8, BLOCK, M)
        for row, column in zip(*np.nonzero(np.abs(coarse).max(0) >= COARSE)):
            one, other, mirror = (
                kept[start + row],
                kept[start + column],
                int(np.abs(coarse[:, row, column]).argmax()),
            )
            if one >= other:
                continue
            correlation, of, least = coarse[mirror, row, column], "coarse", COARSE
            if boxes[one] or boxes[other]:
                axes = tuple(np.flatnonzero(TURNED[mirror]))
                alike = _correlation(volumes[one], volumes[other], axes, (boxes[one], boxes[other]))
                correlation, of, least = alike, "fine", FINE
            if abs(correlation) >= least:
                yield (
                    one,
                    other,
                    f"{of} correlation {correlation:.3f}{', mirrored' if mirror else ''}",
                )


def _near_bits(bits: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """The pairs one < other whose hashes differ by a few bits, and the nearest mirror image of the other."""
    for start in range(0, len(bits), BLOCK):
        block, later = bits[start : start + BLOCK, 0], bits[start:]
        differ = np.stack(
            [np.bitwise_count(block[:, None] ^ mirror) for mirror in later.T]
        )  # (mirrors, BLOCK, M)
        for one, other in zip(*np.nonzero(differ.min(0) <= BITS)):
            if one < other:
                yield start + one, start + other, int(differ[:, one, other].argmin())


def _spectra(volumes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (N, K) of length 1 without the mean, and their signs (8, K) in each mirror image.

    A mirror image along an axis turns the sign of the odd cosines along it (Ahmed et al., Discrete cosine transform,
    1974), so no volume is transformed twice.
    """
    from scipy.fft import dctn

    if not volumes:
        return np.zeros((0, 1)), np.ones((8, 1))
    lowest = (slice(FREQUENCIES),) * 3
    coefficients = np.stack(
        [dctn(volume.astype(np.float32).mean(0), norm="ortho")[lowest] for volume in volumes]
    )
    frequency = np.indices(coefficients.shape[1:]).reshape(3, -1)[:, 1:]  # (3, K)
    weights = (np.hypot.reduce(frequency) ** EXPONENT).astype(np.float32)
    spectra = coefficients.reshape(len(volumes), -1)[:, 1:] * weights
    spectra = np.sign(spectra) * np.sqrt(
        np.abs(spectra)
    )  # or one flat wall, a few large ones, would make two alike
    return spectra / np.linalg.norm(spectra, axis=1, keepdims=True), (-1.0) ** (
        TURNED @ frequency
    ).astype(np.float32)


def _perceptual(image: np.ndarray) -> str:
    """The hashes of the mirror images of a plane (C, rows, columns), or "" for a volume and for an emptier plane."""
    if image.ndim != 3 or not _filled(grey := _grey(image)):
        return ""
    from imagehash import phash
    from PIL import Image

    return "".join(str(phash(Image.fromarray(np.flip(grey, axes)))) for axes in MIRRORS)


def _grey(image: np.ndarray) -> np.ndarray:
    """An image (C, *spatial) in [0, 1] as whole numbers (*spatial) from 0 to 255."""
    return np.round(255 * image.astype(np.float32).mean(0)).astype(np.uint8)


def _filled(grey: np.ndarray) -> bool:
    return bool(np.bincount(grey.ravel()).max() <= (1 - FILLED) * grey.size)


def _content(volume: np.ndarray) -> Box | None:
    """Where a shape lies on an empty ground; () for a volume that is filled, None for a shape too small to be told."""
    from scipy.ndimage import gaussian_filter

    grey = np.round(255 * gaussian_filter(volume.astype(np.float32).mean(0), SMOOTH)).astype(
        np.int16
    )
    shape = np.abs(grey - np.bincount(grey.ravel()).argmax()) > OFF
    if shape.mean() >= FILLED:
        return ()
    if shape.sum() < LEAST:
        return None
    return tuple(slice(int(places.min()), int(places.max()) + 1) for places in np.nonzero(shape))


def _words(digits: str) -> list[int]:
    return [int(digits[place : place + DIGITS], 16) for place in range(0, len(digits), DIGITS)]


def _correlation(
    one: np.ndarray, other: np.ndarray, axes: tuple[int, ...], boxes: tuple[Box, Box] = ((), ())
) -> float:
    """Pearson's, of the grey values of an image and the mirror image of another: (C, *spatial).

    Where the shape of either lies in a box, only the least box around both is looked at.
    """
    mine, theirs = boxes
    theirs = tuple(
        slice(size - span.stop, size - span.start) if axis in axes else span
        for axis, (span, size) in enumerate(zip(theirs, one.shape[1:]))
    )
    spans = zip(*(box for box in (mine, theirs) if box))
    around = tuple(
        slice(min(span.start for span in along), max(span.stop for span in along))
        for along in spans
    )
    turned = np.flip(other, [1 + axis for axis in axes])
    images = (image[(slice(None), *around)].astype(np.float32).mean(0) for image in (one, turned))
    with np.errstate(
        invalid="ignore"
    ):  # NaN, which is like nothing, where all of a box has one value
        return float(np.corrcoef(*(image.ravel() for image in images))[0, 1])
