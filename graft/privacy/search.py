"""Many texts looked for at once in bytes of any kind."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")  # the last is NumPy's own for text
PREFIX = 4  # bytes that lead to the texts that begin with them
SUBSTRING = 6  # characters from which a text counts within a longer word too


class Needles:
    """Texts with their kinds, to be found in bytes as UTF-8, UTF-16 or UTF-32.

    One of less than SUBSTRING characters counts only where no letter goes on from its letters and no digit from its
    digits, be it after a decimal point: numbers and words hold short texts by chance.
    """

    LONGEST = (
        4096  # bytes of a text that is looked for; longer ones are looked for by their beginning
    )

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.count = len(kinds)
        self._by_prefix: dict[bytes, dict[bytes, str]] = defaultdict(dict)
        self._short = set()
        for text, kind in kinds.items():
            for encoding in ENCODINGS:
                coded = text.encode(
                    encoding, "surrogateescape" if encoding == "utf-8" else "replace"
                )[: self.LONGEST]
                self._by_prefix[coded[:PREFIX]][coded] = kind
                if encoding == "utf-8" and len(text) < SUBSTRING:
                    self._short.add(coded)
        self._lengths = {
            prefix: sorted({len(coded) for coded in group})
            for prefix, group in self._by_prefix.items()
        }
        self._starts = np.zeros(1 << 16, bool)  # of the first two bytes
        self._words = np.array(
            [int.from_bytes(prefix, "little") for prefix in self._by_prefix], np.uint32
        )
        self._starts[self._words & 0xFFFF] = True

    def kinds(self, content: bytes) -> set[str]:
        """The kinds of the texts that are in `content`."""
        found = set()
        for place in self._candidates(content):
            prefix = content[place : place + PREFIX]
            group = self._by_prefix[prefix]
            for length in self._lengths[prefix]:
                coded = content[place : place + length]
                if (
                    coded in group
                    and group[coded] not in found
                    and not self._by_chance(coded, content, place)
                ):
                    found.add(group[coded])
        return found

    def _candidates(self, content: bytes) -> list[int]:
        """Where one of the prefixes begins."""
        letters = np.frombuffer(content, np.uint8).astype(np.uint16)
        pairs = letters[:-1] | letters[1:] << 8  # the two bytes from each place on
        places = np.flatnonzero(self._starts[pairs[: max(len(content) - PREFIX + 1, 0)]])
        if not len(places):
            return []
        words = pairs[places].astype(np.uint32) | pairs[places + 2].astype(np.uint32) << 16
        return places[np.isin(words, self._words)].tolist()

    def _by_chance(self, coded: bytes, content: bytes, place: int) -> bool:
        if coded not in self._short:
            return False
        before, after = (
            content[max(place - 2, 0) : place],
            content[place + len(coded) : place + len(coded) + 1],
        )
        if coded[:1].isdigit() and before[-1:] == b"." and before[:1].isdigit():
            return True
        return _goes_on(before[-1:], coded[:1]) or _goes_on(after, coded[-1:])


def _goes_on(beside: bytes, edge: bytes) -> bool:
    return (beside.isalpha() and edge.isalpha()) or (beside.isdigit() and edge.isdigit())
