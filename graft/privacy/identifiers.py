"""Searches outputs for identifiers of patients: `python -m graft.privacy.identifiers --help`.

The identifiers come from the raw data. They are searched for as bytes, in every file of the
outputs and in its name.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from graft.common.files import InputError
from graft.console import run, say
from graft.privacy.contents import read_contents
from graft.privacy.dvc_cache import DvcCache
from graft.privacy.gather import Identifiers, Origin, gather_identifiers, list_raw_files
from graft.privacy.own_words import own_words
from graft.privacy.search import TextSearch

SHOWN = 40  # characters of the form of a text
WHAT_TO_DO = (
    "A finding gives the form of the text (X and x for letters, 9 for digits) and where it comes "
    "from. `--show N` prints the path of raw file N. Remove or rename what the user chose (sites, "
    "labels, folders), run the pipeline again, then delete old copies: dvc gc --workspace."
)

RawArgument = Annotated[
    Path, typer.Argument(help="The raw data of a domain, which the identifiers come from.")
]
OutputsArgument = Annotated[
    list[Path] | None,
    typer.Argument(help="Files and folders to search: everything that a run writes, and .dvc."),
]
ShowOption = Annotated[
    int, typer.Option(help="Print the path of the raw file with this number, and search nothing.")
]


def main(raw: RawArgument, outputs: OutputsArgument = None, show: ShowOption = 0) -> None:
    """Search outputs for anything that identifies a patient of the raw data.

    Prints a line for each file and kind of identifier found there, never the identifier itself,
    and exits with status 1. Otherwise it prints one line with what it searched.
    """
    if show:
        files = list_raw_files(raw)
        if not 1 <= show <= len(files):
            raise InputError(f"--show: got {show}, expected 1 to {len(files)}, files of {raw}")
        say(str(files[show - 1]))
        return
    if not outputs:
        raise InputError("outputs: got none, expected files and folders to search")
    for output in outputs:
        if not output.exists():
            raise InputError(f"{output}: is missing, expected a file or folder to search")
    identifiers = gather_identifiers(raw)
    searched = OutputSearch(raw, identifiers)
    findings = 0
    for output in outputs:
        cache = DvcCache(raw, output)
        for file in cache.files:
            for line in searched.lines(output, file, cache.name_of(file)):
                say(line)
                findings += 1
        if cache.raw_copies:
            say(f"{output}: has copies of {cache.raw_copies} raw files, which `dvc add` made")
        if cache.raw_lists:
            say(f"{output}: has the names of the raw files, which DVC lists for its stages")
        searched.count += len(cache.files)
    if findings:
        say(WHAT_TO_DO)
        sys.exit(1)
    where = ", ".join(map(str, outputs))
    say(
        f"{raw}: none of its {len(identifiers.origins)} identifiers is in the {searched.count} "
        f"files of {where} ({identifiers.left_out} texts were too short to search for)"
    )


class OutputSearch:
    """The search for the identifiers of one domain in many files."""

    def __init__(self, raw: Path, identifiers: Identifiers) -> None:
        """Prepare the search for what was gathered from `raw`."""
        self.count = 0  # files that were searched
        self._raw = raw
        self._identifiers = identifiers
        self._search = TextSearch(identifiers.origins, own_words() | identifiers.own_words)

    def lines(self, root: Path, file: Path, known_as: str = "") -> Iterator[str]:
        """A line for each kind of identifier in the name or the content of a file of `root`.

        Args:
            root: the output that the file belongs to.
            file: inside it, or the same.
            known_as: the name of the file in the working tree, if it is in the cache of DVC.
        """
        name = file.name if file == root else str(file.relative_to(root))
        shown = os.fsencode(file).decode(errors="replace")
        in_name = self._first_of_each_kind(os.fsencode(name))
        name_in_tree = known_as.encode(errors="replace")
        if in_name:
            shown = f"{root}: a file that cannot be named here"
        elif known_as and not any(self._search.find(name_in_tree)):
            shown += f" ({name_in_tree.decode()})"
        for text in in_name.values():
            yield f"{shown}: has in its name {self._describe(text)}"
        places: dict[str, str] = {}
        texts: dict[str, str] = {}
        counts: dict[str, int] = {}
        for piece in read_contents(file, TextSearch.MAX_BYTES):
            for match in self._search.find(piece.content):
                if match.stop <= piece.repeated:
                    continue
                kind = self._origin(match.text).kind
                counts[kind] = counts.get(kind, 0) + 1
                if kind not in places:
                    places[kind] = piece.place(match.start)
                    texts[kind] = match.text
        for kind in sorted(places):
            more = f", and {counts[kind] - 1} more" if counts[kind] > 1 else ""
            yield f"{shown}{places[kind]}: contains {self._describe(texts[kind])}{more}"

    def _first_of_each_kind(self, content: bytes) -> dict[str, str]:
        found: dict[str, str] = {}
        for match in self._search.find(content):
            found.setdefault(self._origin(match.text).kind, match.text)
        return dict(sorted(found.items()))

    def _origin(self, text: str) -> Origin:
        return self._identifiers.origins[text]

    def _describe(self, text: str) -> str:
        """The kind, the form and the place of a text, which must not show it."""
        origin = self._origin(text)
        place = f"{origin.file}:{origin.number}"
        if not origin.file:
            place = f"{self._raw}: file {origin.number} of {self._identifiers.files}"
        return f"a {origin.kind} of the form {text_form(text)} (from {place})"


def text_form(text: str) -> str:
    """The form of a text: X and x for its letters, 9 for its digits."""
    form = ""
    for character in text[:SHOWN]:
        if character.isalpha():
            form += "X" if character.isupper() else "x"
        else:
            form += "9" if character.isdigit() else character
    return form + ("…" if len(text) > SHOWN else "")


if __name__ == "__main__":
    run(main)
