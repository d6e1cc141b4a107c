"""Random numbers that nobody can compute without the secret key, as noise for privacy must be.

The generators of NumPy and PyTorch are no help here. From some of their numbers the others follow,
and the one of PyTorch on the CPU has only 2^32 seeds, which can be tried one by one.
"""

import hashlib
import hmac
import math

import numpy as np
from scipy.special import ndtri

BYTES = 8  # of a random number
SHIFT = 11  # leaves 53 bits, as many as the fraction of a float64 has


class SecretStream:
    """Independent random numbers for each place, the same for the same key and purpose.

    The numbers of a place are SHAKE-256 of HMAC-SHA256(key, purpose and place), which is a
    pseudorandom function of the place (RFC 2104, FIPS 202).

    Args:
        key: the secret.
        purpose: what the numbers are for. It has to name everything that they must not be shared
            between, such as the data of a training.
    """

    def __init__(self, key: str, *purpose: str | int) -> None:
        self._key = key.encode("utf-8", "surrogateescape")
        self._purpose = purpose

    def uniform(self, count: int, *place: str | int) -> np.ndarray:
        """Draw numbers (count,) from the open interval (0, 1), as float64."""
        content = hashlib.shake_256(self._seed(place)).digest(BYTES * count)
        whole = np.frombuffer(content, dtype="<u8") >> np.uint64(SHIFT)
        return (whole + 0.5) * math.ldexp(1, SHIFT - 64)

    def normal(self, count: int, *place: str | int) -> np.ndarray:
        """Draw standard normal numbers (count,), by the inverse of their distribution."""
        return ndtri(self.uniform(count, *place))

    def generator(self, *place: str | int) -> np.random.Generator:
        """Make a generator of NumPy with a secret seed of 256 bits, for draws without noise."""
        return np.random.default_rng(int.from_bytes(self._seed(place), "big"))

    def _seed(self, place: tuple[str | int, ...]) -> bytes:
        message = repr((*self._purpose, "|", *place)).encode("utf-8", "surrogateescape")
        return hmac.new(self._key, message, hashlib.sha256).digest()
