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
# Volumes, in all eight mirror images: of 299,000 pairs of phantom lesions and 629 of LIDC nodules, of different patients
# and where FILLED held, the nearest correlated by 0.945; of 218,000 pairs of patches of one chest CT, in three windows,
# by 0.957. Copies brighter by 10 %, in 8 bits, blurred by a voxel or by way of 80 % of the size came to 0.985 or more,
# with noise of 0.03 of the window to 0.976, of 0.05 to 0.93.
FREQUENCIES = 8  # of the DCT along each axis, the lowest
EXPONENT = 1.5  # of the frequency, by which an image's coarse brightness gives way to its detail
ALIKE = 0.97  # correlation of these coefficients, up to its sign, from which two volumes are one
BLOCK = 32  # images compared at once with all others

Near = tuple[int, int, str]  # two images, and how far apart they are


def hashes(images: np.ndarray) -> list[str]:
    """What tells images (N, C, *spatial) in [0, 1] apart, in hexadecimal digits.

    16 digits of the SHA-256 of its bytes; for planes with content, then 16 of the perceptual hash (pHash of
    64 bits, Zauner 2010) of the image and of each of its mirror images.
    """
    return [hashlib.sha256(np.ascontiguousarray(image)).hexdigest()[:DIGITS] + _perceptual(image) for image in images]


def near_planes(codes: list[str], planes: list[np.ndarray]) -> Iterator[Near]:
    """The pairs one < other of planes (C, rows, columns) that are one picture, by their `hashes` and their pixels."""
    filled = np.array([number for number, code in enumerate(codes) if len(code) > DIGITS], int)
    bits = np.array([_words(codes[number][DIGITS:]) for number in filled], np.uint64).reshape(-1, len(MIRRORS))
    for one, other, mirror in _near_bits(bits):
        pair = int(filled[one]), int(filled[other])
        alike = _correlation(planes[pair[0]], planes[pair[1]], MIRRORS[mirror])
        if alike >= CORRELATION:
            differ = np.bitwise_count(bits[one, 0] ^ bits[other, mirror])
            yield *pair, f"{differ} of 64 bits apart{', mirrored' if mirror else ''}, correlation {alike:.3f}"


def near_volumes(volumes: list[np.ndarray]) -> Iterator[Near]:
    """The pairs one < other of volumes (C, X, Y, Z) of one size that are one picture, turned round or light for dark."""
    filled = [number for number, volume in enumerate(volumes) if _filled(_grey(volume))]
    spectra, signs = _spectra([volumes[number] for number in filled])
    for start in range(0, len(filled), BLOCK):
        block, later = spectra[start : start + BLOCK], spectra[start:]
        alike = np.stack([(block * sign) @ later.T for sign in signs])  # (8, BLOCK, M)
        for one, other in zip(*np.nonzero(np.abs(alike).max(0) >= ALIKE)):
            if one < other:
                mirror = int(np.abs(alike[:, one, other]).argmax())
                turned, correlation = ", mirrored" if mirror else "", alike[mirror, one, other]
                yield filled[start + one], filled[start + other], f"coarse correlation {correlation:.3f}{turned}"


def _near_bits(bits: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """The pairs one < other whose hashes differ by a few bits, and the nearest mirror image of the other."""
    for start in range(0, len(bits), BLOCK):
        block, later = bits[start : start + BLOCK, 0], bits[start:]
        differ = np.stack([np.bitwise_count(block[:, None] ^ mirror) for mirror in later.T])  # (mirrors, BLOCK, M)
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
    coefficients = np.stack([dctn(volume.astype(np.float32).mean(0), norm="ortho")[lowest] for volume in volumes])
    frequency = np.indices(coefficients.shape[1:]).reshape(3, -1)[:, 1:]  # (3, K)
    spectra = coefficients.reshape(len(volumes), -1)[:, 1:] * np.hypot.reduce(frequency) ** EXPONENT
    turned = np.indices((2, 2, 2)).reshape(3, -1).T  # (8, 3)
    return spectra / np.linalg.norm(spectra, axis=1, keepdims=True), (-1.0) ** (turned @ frequency)


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


def _words(digits: str) -> list[int]:
    return [int(digits[place : place + DIGITS], 16) for place in range(0, len(digits), DIGITS)]


def _correlation(one: np.ndarray, other: np.ndarray, axes: tuple[int, ...]) -> float:
    """Pearson's, of the pixels of a plane and the mirror image of another: (C, rows, columns)."""
    planes = (one.astype(np.float32).mean(0), np.flip(other.astype(np.float32).mean(0), axes))
    return float(np.corrcoef(*(plane.ravel() for plane in planes))[0, 1])
