"""Seeds: every random draw comes from a generator made from a seed and the purpose of the draw."""

import hashlib

import numpy as np


def derive(seed: int, *purpose: str | int) -> int:
    """Derive a 63-bit seed for one purpose, independent of other purposes and earlier calls."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Make a NumPy generator for one purpose, such as `generator(seed, "split", "liver")`."""
    return np.random.default_rng(derive(seed, *purpose))
