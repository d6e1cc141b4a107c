"""Images that are the same, or one picture twice: what a model learnt by heart must not test it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from graft.console import say
from graft.domain import Domain
from graft.files import InputError

DIGITS = 16  # hexadecimal, of the digest and of each perceptual hash
MIRRORS = ((), (0,), (1,), (0, 1))  # axes turned round
FILLED = 0.1  # share of pixels off the commonest value, below which a shape on an empty ground is like any other
# A pair must pass both. Of 58 liver sonograms saved again as JPEG 50, at 80 % of the size, 10 % brighter, and all
# three mirrored, the furthest copy was 4 bits away and correlated by 0.998; of their 1,653 pairs the nearest was 8
# bits away, none correlated by 0.9. Of 12.7 million pairs of LIDC nodule slices of different patients, cut out on
# black, 4.7 million were within 6 bits; where FILLED held none of these correlated by more than 0.991.
BITS = 6  # of 64, by which two hashes may differ
CORRELATION = 0.995  # of the pixels, from which two images are one
LISTED = 20  # pairs that the error names
BLOCK = 32  # images compared at once with all others


@dataclass(frozen=True)
class Pair:
    """Two rows of an index that hold one picture, and how far apart they are."""

    one: int
    other: int
    apart: str


def hashes(images: np.ndarray) -> list[str]:
    """What tells images (N, C, *spatial) in [0, 1] apart, in hexadecimal digits.

    16 digits of the SHA-256 of its bytes; for planes with content, then 16 of the perceptual hash (pHash of
    64 bits, Zauner 2010) of the image and of each of its mirror images.
    """
    return [hashlib.sha256(np.ascontiguousarray(image)).hexdigest()[:DIGITS] + _perceptual(image) for image in images]


def check(domain: Domain, parts: pd.Series) -> None:
    """Raise InputError where one picture is in two parts of a split; say how many are twice in one part.

    `parts` has the part of each sample, "" for those that no model sees.
    """
    rows = np.flatnonzero(parts != "")
    part, patient, origin = (np.asarray(column) for column in (parts, domain.index["patient"], domain.index["origin"]))
    pairs = [Pair(rows[pair.one], rows[pair.other], pair.apart) for pair in find(domain, rows)]
    across = [pair for pair in pairs if part[pair.one] != part[pair.other]]
    if across:
        where = [f"{name} ({place})" for name, place in zip(origin, part)]
        told = [f"{where[pair.one]} and {where[pair.other]}, {pair.apart}" for pair in across[:LISTED]]
        more = f"; and {len(across) - LISTED} more" if len(across) > LISTED else ""
        raise InputError(
            f"domains.{domain.name}: {len(across)} pairs of images are the same picture in two parts of the split: "
            f"{'; '.join(told)}{more}; expected each in one part: give both images of a pair one patient, or remove one"
        )
    if pairs:
        others = sum(patient[pair.one] != patient[pair.other] for pair in pairs)
        count = f"{len(pairs)} pairs of images are the same picture within a part"
        say(f"{domain.name}: {count}, {others} of them of two patients")


def find(domain: Domain, rows: np.ndarray) -> Iterator[Pair]:
    """The pairs of one picture among some rows of a domain, numbered from 0 in their order.

    Where several images have the same bytes, each is paired with the first of them.
    """
    codes = domain.index["hash"].to_numpy()[rows]
    first: dict[str, int] = {}
    for number, code in enumerate(codes):
        before = first.setdefault(code[:DIGITS], number)
        if before != number:
            yield Pair(before, number, "identical")
    filled = np.array([number for number in first.values() if len(codes[number]) > DIGITS], int)
    bits = np.array([_words(codes[number][DIGITS:]) for number in filled], np.uint64).reshape(-1, len(MIRRORS))
    for one, other, mirror in _near(bits):
        pair = filled[one], filled[other]
        alike = _correlation(domain.images[rows[pair[0]]], domain.images[rows[pair[1]]], MIRRORS[mirror])
        if alike >= CORRELATION:
            differ = np.bitwise_count(bits[one, 0] ^ bits[other, mirror])
            yield Pair(*pair, f"{differ} of 64 bits apart{', mirrored' if mirror else ''}, correlation {alike:.3f}")


def _near(bits: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """The pairs one < other whose hashes differ by a few bits, and the nearest mirror image of the other."""
    for start in range(0, len(bits), BLOCK):
        block, later = bits[start : start + BLOCK, 0], bits[start:]
        differ = np.stack([np.bitwise_count(block[:, None] ^ mirror) for mirror in later.T])  # (mirrors, BLOCK, M)
        for one, other in zip(*np.nonzero(differ.min(0) <= BITS)):
            if one < other:
                yield start + one, start + other, int(differ[:, one, other].argmin())


def _perceptual(image: np.ndarray) -> str:
    """The hashes of the mirror images of a plane (C, rows, columns), or "" for a volume and for an emptier plane."""
    if image.ndim != 3:
        return ""
    grey = np.round(255 * image.astype(np.float32).mean(0)).astype(np.uint8)
    if np.bincount(grey.ravel()).max() > (1 - FILLED) * grey.size:
        return ""
    from imagehash import phash
    from PIL import Image

    return "".join(str(phash(Image.fromarray(np.flip(grey, axes)))) for axes in MIRRORS)


def _words(digits: str) -> list[int]:
    return [int(digits[place : place + DIGITS], 16) for place in range(0, len(digits), DIGITS)]


def _correlation(one: np.ndarray, other: np.ndarray, axes: tuple[int, ...]) -> float:
    """Pearson's, of the pixels of a plane and the mirror image of another: (C, rows, columns)."""
    planes = (one.astype(np.float32).mean(0), np.flip(other.astype(np.float32).mean(0), axes))
    return float(np.corrcoef(*(plane.ravel() for plane in planes))[0, 1])
