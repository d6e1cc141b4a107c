"""The search for what is left of a patient: names, pseudonyms, and bytes of images."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import ahocorasick

from graft.common.files import InputError
from graft.privacy.contents import read_contents
from graft.privacy.gather import Identifiers, Origin
from graft.privacy.search import DIGEST, HEXADECIMAL, Match, TextSearch

CHUNK = 64  # bytes of an image that are searched for
LEAST_DIFFERENT = 20  # bytes of a chunk: fewer turn up in other images
CHUNKS = 4  # of each image, in equal parts of it
PLACES = 256  # in a part, that a chunk may begin at
STEP = 16  # bytes between them, or more
NOT_SEARCHED = (".git", "__pycache__")
ENVIRONMENT = "pyvenv.cfg"  # in the folder of an environment of Python
IMAGES = "bytes of an image"
NO_MODELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Needles:
    """What is searched for.

    Attributes:
        texts: with what each of them is.
        chunks: of images.
    """

    texts: Identifiers = field(default_factory=Identifiers)
    chunks: set[bytes] = field(default_factory=set)

    def add_text(self, text: str, what: str) -> None:
        """Search for a text in all its spellings, unless it is so short that it is anywhere."""
        self.texts.add(text, Origin(what, "", 0))

    def add_image(self, content: bytes) -> None:
        """Search for some bytes of an image: in each part of it the most varied ones."""
        length = len(content) // CHUNKS
        step = max(STEP, length // PLACES)
        for part in range(CHUNKS):
            begin = part * length
            best = max(
                range(begin, max(begin + length - CHUNK, begin) + 1, step),
                key=lambda start: len(set(content[start : start + CHUNK])),
            )
            chunk = content[best : best + CHUNK]
            if len(chunk) == CHUNK and len(set(chunk)) >= LEAST_DIFFERENT:
                self.chunks.add(chunk)

    def add_file(self, file: Path) -> None:
        """Search for copies of a file, and for its digests in lists of files."""
        content = file.read_bytes()
        for name in ("md5", "sha256"):
            self.add_text(hashlib.new(name, content).hexdigest(), f"the {name.upper()} of a file")
        self.add_image(content[len(content) // 2 :])  # headers are the same in many files


@dataclass(frozen=True)
class Trace:
    """Something in a file.

    Attributes:
        file: it.
        what: was found there, in words.
        place: where: the path and the line or byte; if the path itself has the trace, the folder
            above it, because a trace must not be printed.
        of_model: whether it is the digest of a model, which says nothing about the patient.
    """

    file: Path
    what: str
    place: str
    of_model: bool = False


class TraceSearch:
    """A search for needles in many files, and for the digests of models beside them."""

    def __init__(self, needles: Needles, models: Mapping[str, str] = NO_MODELS) -> None:
        """Prepare the search. `models` says in words what each digest is."""
        self._models = frozenset(models.values())
        self._kinds = {text: origin.kind for text, origin in needles.texts.origins.items()}
        self._kinds |= models
        self._texts = TextSearch(self._kinds)
        self._chunks = ahocorasick.Automaton()  # of str, hence bytes as Latin-1
        for chunk in needles.chunks:
            self._chunks.add_word(chunk.decode("latin-1"), chunk)
        self._chunks.make_automaton()

    def find(self, file: Path, name: str) -> list[Trace]:
        """The first trace of each kind in a file, or what its name has, as it is printed."""
        place = Path(name)
        while any(self._matches(os.fsencode(place))):
            place = place.parent
        if place != Path(name):
            what = self._kinds[next(self._matches(os.fsencode(name))).text]
            return [Trace(file, what, f"{place}: a name in it that cannot be shown here")]
        found: dict[str, Trace] = {}
        if file.is_dir():
            return []
        try:
            for piece in read_contents(file, TextSearch.MAX_BYTES):
                for what, start in self._found_in(piece.content):
                    if what not in found:
                        where = name + piece.place(start)
                        found[what] = Trace(file, what, where, what in self._models)
        except InputError:  # it cannot be unpacked, but its own bytes were searched
            pass
        return list(found.values())

    def is_in(self, content: bytes) -> bool:
        """Whether some bytes have a trace of the patient."""
        return any(what not in self._models for what, _ in self._found_in(content))

    def _found_in(self, content: bytes) -> Iterator[tuple[str, int]]:
        """What is in some bytes, and where it begins."""
        for match in self._matches(content):
            yield self._kinds[match.text], match.start
        if len(self._chunks):
            for end, _ in self._chunks.iter(content.decode("latin-1")):
                yield IMAGES, end + 1 - CHUNK

    def _matches(self, content: bytes) -> Iterator[Match]:
        for match in self._texts.find(content):
            if not _is_part_of_number(content, match):
                yield match


def _is_part_of_number(content: bytes, match: Match) -> bool:
    """Whether digits continue a text: patient-1 is not patient-12.

    Not so for digests, nor for a number in an array of NumPy, beside which the next one begins.
    """
    text = match.text
    width = max((match.stop - match.start) // len(text), 1)  # bytes of a character
    if HEXADECIMAL.issuperset(text) and (len(text) >= DIGEST or width > 1):
        return False
    before = content[max(match.start - width, 0) : match.start].strip(b"\0")
    after = content[match.stop : match.stop + width].strip(b"\0")
    return (text[0].isdigit() and before.isdigit()) or (text[-1].isdigit() and after.isdigit())


def list_tree(root: Path, left_out: Iterable[Path] = ()) -> Iterator[Path]:
    """All files and empty folders below a folder.

    Left out are those of git, of environments of Python, and of some folders.
    """
    skipped = {path.resolve() for path in left_out}
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in NOT_SEARCHED
            and not (here / name / ENVIRONMENT).exists()
            and (here / name).resolve() not in skipped
        )
        for name in sorted(files):
            path = here / name
            if path.is_file():
                yield path
        if not (folders or files) and here != root:
            yield here
