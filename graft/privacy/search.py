"""Many texts searched for at once in bytes of any kind."""

from collections.abc import Mapping
from dataclasses import dataclass

import ahocorasick

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")  # the last is that of NumPy
LONG = 6  # characters from which a text counts inside a longer word or number too


@dataclass(frozen=True)
class Pattern:
    """An encoded text: its length in bytes, and its kind."""

    length: int
    kind: str
    is_short: bool  # counts only as a word or number of its own


class TextSearch:
    """Searches bytes for texts in UTF-8, UTF-16 and UTF-32, and reports the kinds of those found.

    In UTF-8 a text of fewer than LONG characters counts only if no letter continues its letters
    and no digit continues its digits, also across a decimal point: numbers and words contain
    short texts by chance. Of a long text only the first MAX_BYTES are searched for.
    """

    MAX_BYTES = 4096

    def __init__(self, kinds: Mapping[str, str]) -> None:
        """Prepare the search; `kinds` maps each text to its kind."""
        self.count = len(kinds)
        self._automaton = ahocorasick.Automaton()  # of str, hence bytes as Latin-1
        for text, kind in kinds.items():
            for encoding in ENCODINGS:
                coded = _encode(text, encoding)[: self.MAX_BYTES].decode("latin-1")
                is_short = encoding == "utf-8" and len(text) < LONG
                self._automaton.add_word(coded, Pattern(len(coded), kind, is_short))
        self._automaton.make_automaton()

    def find_kinds(self, content: bytes) -> set[str]:
        """The kinds of the texts that `content` contains."""
        found: set[str] = set()
        if not self.count:
            return found
        characters = content.decode("latin-1")
        for end, pattern in self._automaton.iter(characters):
            if pattern.kind in found:
                continue
            start = end - pattern.length + 1
            if not (pattern.is_short and _is_by_chance(characters, start, end + 1)):
                found.add(pattern.kind)
        return found


def _encode(text: str, encoding: str) -> bytes:
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    return text.encode(encoding, errors)


def _is_by_chance(characters: str, start: int, stop: int) -> bool:
    """Whether what stands beside characters[start:stop] makes it a part of a word or number."""
    before = characters[max(start - 2, 0) : start]
    after = characters[stop : stop + 1]
    first, last = characters[start], characters[stop - 1]
    is_fraction = _is_digit(first) and before[1:] == "." and _is_digit(before[:1])
    return is_fraction or _continues(before[-1:], first) or _continues(after, last)


def _continues(beside: str, edge: str) -> bool:
    both_letters = _is_letter(beside) and _is_letter(edge)
    both_digits = _is_digit(beside) and _is_digit(edge)
    return both_letters or both_digits


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _is_digit(character: str) -> bool:
    return character.isascii() and character.isdigit()
