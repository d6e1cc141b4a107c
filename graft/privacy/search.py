"""Many texts searched for at once in bytes of any kind."""

import json
import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

import ahocorasick

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")  # the last is that of NumPy
LONG = 6  # characters from which a text counts inside a longer word too
RARE = 8  # characters from which a text does not turn up in compressed bytes by chance
DIGEST = 16  # hexadecimal digits: a longer run of them is a digest
UID = re.compile(r"[0-9]+(\.[0-9]+){2,}")
# A UID and its neighbours in UTF-32, UTF-16 (either order) or UTF-8.
UID_RUN = re.compile(rb"(?:[0-9.]\0{3}){5,}|(?:[0-9.]\0){4,}[0-9.]?|[0-9.]{5,}")
BASE64 = re.compile(r"[A-Za-z0-9+/]{200,}")  # an embedded picture
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
BESIDE_TEXT = frozenset(map(chr, (0, *b"\t\n\r", *range(0x20, 0x7F))))


class Match(NamedTuple):
    """Where in the bytes a text starts and ends."""

    text: str
    start: int
    stop: int


class Pattern(NamedTuple):
    """An encoded text: its length in bytes."""

    length: int
    text: str
    is_plain: bool  # in UTF-8


class TextSearch:
    """Searches bytes for texts in UTF-8, UTF-16 and UTF-32, and in UTF-8 as JSON escapes them.

    Numbers and words contain short texts by chance. In UTF-8 a number, or a text of fewer than LONG
    characters, therefore counts only if no digit continues its digits, also across a decimal point,
    and no letter its letters. Nothing counts as a part of one of `own_words`, of a hexadecimal
    digest, or, if it is short, of base64 or of compressed bytes.

    UIDs, of which a scan has hundreds, are looked up in a set: a tree of their letters in all
    encodings would take 12 kB for each. Of a long text only the first MAX_BYTES are searched for.
    """

    MAX_BYTES = 4096

    def __init__(self, texts: Collection[str], own_words: Collection[str] = ()) -> None:
        """Prepare the search for `texts`."""
        self._own_words = own_words
        self._uids = {text for text in texts if UID.fullmatch(text)}
        self._automaton = ahocorasick.Automaton()  # of str, hence bytes as Latin-1
        for text in texts:
            if text in self._uids:
                continue
            for encoding in ENCODINGS:
                self._add(text, _encode(text, encoding), is_plain=encoding == "utf-8")
            escaped = json.dumps(text)[1:-1]
            if escaped != text:
                self._add(text, escaped.encode(), is_plain=True)
        self._automaton.make_automaton()

    def find(self, content: bytes) -> Iterator[Match]:
        """Yield where `content` has one of the texts, in any order."""
        if self._uids:
            yield from self._find_uids(content)
        if not len(self._automaton):
            return
        characters = content.decode("latin-1")
        is_binary = "\0" in characters
        pictures: list[re.Match[str]] | None = None  # searched for only if there is a match
        stops: dict[str, int] = {}
        for end, pattern in self._automaton.iter(characters):
            match = Match(pattern.text, end + 1 - pattern.length, end + 1)
            if pattern.is_plain and self._is_by_chance(characters, match, is_binary):
                continue
            if pattern.is_plain and len(pattern.text) < RARE:
                if pictures is None:
                    pictures = list(BASE64.finditer(characters))
                if any(one.start() <= match.start < one.end() for one in pictures):
                    continue
            if match.start < stops.get(match.text, 0):
                continue  # ASCII in UTF-16 looks like the other byte order from the next byte on
            stops[match.text] = match.stop
            yield match

    def _add(self, text: str, coded: bytes, is_plain: bool) -> None:
        word = coded[: self.MAX_BYTES].decode("latin-1")
        self._automaton.add_word(word, Pattern(len(word), text, is_plain))

    def _find_uids(self, content: bytes) -> Iterator[Match]:
        for run in UID_RUN.finditer(content):
            uid = run[0].replace(b"\0", b"").decode().strip(".")
            if uid in self._uids:
                yield Match(uid, *run.span())

    def _is_by_chance(self, characters: str, match: Match, is_binary: bool) -> bool:
        """Whether what stands beside a match makes it a part of a word, a number or a digest."""
        text, start, stop = match
        if HEXADECIMAL.issuperset(text) and _run_length(characters, match) >= DIGEST:
            return True
        if text.isascii() and text.isalpha() and _word(characters, match) in self._own_words:
            return True
        if len(text) >= LONG and not text.isdecimal():
            return False
        before = characters[max(start - 2, 0) : start]
        after = characters[stop : stop + 1]
        first, last = characters[start], characters[stop - 1]
        is_fraction = _is_digit(first) and before[1:] == "." and _is_digit(before[:1])
        is_noise = is_binary and not BESIDE_TEXT.issuperset(before[-1:] + after)
        is_part = _continues(before[-1:], first) or _continues(after, last)
        return is_fraction or is_noise or is_part


def _encode(text: str, encoding: str) -> bytes:
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    return text.encode(encoding, errors)


def _word(characters: str, match: Match) -> str:
    """The letters of a match and those that continue it on both sides."""
    start, stop = match.start, match.stop
    while _is_letter(characters[start - 1 : start]):
        start -= 1
    while _is_letter(characters[stop : stop + 1]):
        stop += 1
    return characters[start:stop]


def _run_length(characters: str, match: Match) -> int:
    """The number of hexadecimal digits around a match, at least its own; it stops at DIGEST."""
    start, stop = match.start, match.stop
    while stop - start < DIGEST and characters[start - 1 : start] in HEXADECIMAL:
        start -= 1
    while stop - start < DIGEST and characters[stop : stop + 1] in HEXADECIMAL:
        stop += 1
    return stop - start if stop - start > match.stop - match.start else 0


def _continues(beside: str, edge: str) -> bool:
    both_letters = _is_letter(beside) and _is_letter(edge)
    both_digits = _is_digit(beside) and _is_digit(edge)
    return both_letters or both_digits


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _is_digit(character: str) -> bool:
    return character.isascii() and character.isdigit()
