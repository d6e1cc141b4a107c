"""The pictures in folders by class, perhaps below `train`, `val` and `test`."""

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from graft.common.files import InputError
from graft.common.links import check_inside
from graft.common.vocabulary import PARTS
from graft.console import say
from graft.pictures.picture_files import is_picture

SPLITS = {"val": "validation", "valid": "validation"} | {part: part for part in PARTS}
SPLIT_ORDER = ("", *PARTS)
# Hidden files whose names do not start with a dot.
SYSTEM_FILES = ("Thumbs.db", "ehthumbs.db", "desktop.ini", "__MACOSX")
UNPRINTABLE = ("Cc", "Cs")  # categories: control characters, bytes that are no UTF-8
NAMED = 5  # files that a message names
# The masks of `benign (1).png` in BUSI are `benign (1)_mask.png` and `benign (1)_mask_1.png`.
MASK = re.compile(r"(.+)_mask(_\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class LabelledPicture:
    """A picture with its class and given split.

    Its `origin` is the folder and a number: the name of the file may be a patient's.
    """

    path: Path
    label: str
    split: str
    origin: str


@dataclass(frozen=True)
class ClassFolders:
    """What is in the folder of a domain.

    Attributes:
        root: the folder.
        name: of the domain.
        classes: the names of its class folders.
        ignore: a regular expression that finds what is left out by its path inside the folder.
        strays: files that are no pictures, found so far.
        ignored: what `ignore` found so far.
    """

    root: Path
    name: str
    classes: list[str]
    ignore: str | None
    strays: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def pictures(self) -> list[LabelledPicture]:
        """Return the pictures sorted by split, class and name, and print what was left out.

        Raises:
            InputError: with the folder if it is not that of a class, and with the file if it is a
                picture outside the class folders, the mask of another one, or a link to elsewhere,
                or if its name cannot be printed.
        """
        folders = self._folders()
        names = {folder.name for folder in folders}
        found = []
        if names <= set(SPLITS) and not names <= set(self.classes):
            for folder in folders:
                inner = self._folders(folder)
                found += self._pictures_of_classes(inner, SPLITS[folder.name])
        else:
            folders.sort(key=lambda folder: folder.name in SPLITS)  # name the real fault first
            found = self._pictures_of_classes(folders, split="")
        self._check_masks(found)
        found.sort(key=lambda one: (SPLIT_ORDER.index(one.split), self.classes.index(one.label)))
        self._say_what_was_left_out()
        return found

    def _folders(self, inside: Path | None = None) -> list[Path]:
        """The folders in one that has no pictures of its own."""
        folders = []
        for entry in self._entries(inside or self.root):
            if entry.is_dir():
                folders.append(entry)
            elif is_picture(entry):
                raise InputError(
                    f"{entry}: is beside the folders of the classes, expected every picture in one "
                    f"of {', '.join(self.classes)}{self._way_out(entry)}"
                )
            else:
                self.strays.append(self._place(entry))
        return folders

    def _pictures_of_classes(self, folders: list[Path], split: str) -> list[LabelledPicture]:
        found = []
        for folder in folders:
            if folder.name not in self.classes:
                expected = f"{', '.join(self.classes)}, or train, val, test above these"
                raise InputError(
                    f"{folder}: is not the folder of a class, expected {expected}"
                    f"{self._way_out(folder)}"
                )
            for number, file in enumerate(self._picture_files(folder), 1):
                origin = f"{self._place(folder)}#{number}"
                found.append(LabelledPicture(file, folder.name, split, origin))
        return found

    def _picture_files(self, folder: Path) -> list[Path]:
        files = []
        for entry in self._entries(folder):
            check_inside(entry, self.root)
            if entry.is_dir():
                raise InputError(f"{entry}: is a folder, expected a picture{self._way_out(entry)}")
            if is_picture(entry):
                files.append(entry)
            else:
                self.strays.append(self._place(entry))
        return files

    def _entries(self, folder: Path) -> list[Path]:
        """The content of a folder, sorted by name, without hidden files and what is ignored."""
        entries = []
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            place = self._place(entry)
            if any(unicodedata.category(letter) in UNPRINTABLE for letter in place):
                raise InputError(
                    f"{self.root}: has the file name {ascii(place)}, "
                    "expected UTF-8 without control characters"
                )
            if is_hidden(entry):
                self.strays.append(place)
            elif self.ignore is not None and re.search(self.ignore, place):
                self.ignored.append(place)
            else:
                entries.append(entry)
        return entries

    def _place(self, entry: Path) -> str:
        return entry.relative_to(self.root).as_posix()

    def _way_out(self, entry: Path) -> str:
        """How the parameter `ignore` leaves out an entry."""
        pattern = self._wider_pattern("^" + re.escape(self._place(entry)))
        return f" (to leave it out, domains.{self.name}.ignore: {pattern})"

    def _wider_pattern(self, pattern: str) -> str:
        """A value of `ignore` that also finds what a pattern finds, as it is written in YAML."""
        wider = pattern if self.ignore is None else f"{self.ignore}|{pattern}"
        return "'" + wider.replace("'", "''") + "'"

    def _check_masks(self, pictures: list[LabelledPicture]) -> None:
        """Raise InputError if pictures are masks of others, by their names."""
        stems = {picture.path.with_suffix("") for picture in pictures}
        masks = []
        for picture in pictures:
            match = MASK.fullmatch(picture.path.stem)
            if match and picture.path.with_name(match[1]) in stems:
                masks.append(picture.path)
        if masks:
            raise InputError(
                f"{masks[0]}: is the mask of the picture beside it, as its name says ({len(masks)} "
                f"such pictures), expected lesions: set domains.{self.name}.ignore to "
                f"{self._wider_pattern('_mask')}"
            )

    def _say_what_was_left_out(self) -> None:
        reasons = {
            "as no picture": self.strays,
            f"by domains.{self.name}.ignore": self.ignored,
        }
        for reason, places in reasons.items():
            if places:
                more = ", ..." if len(places) > NAMED else ""
                named = ", ".join(places[:NAMED])
                say(f"{self.name}: {len(places)} left out {reason}: {named}{more}")


def is_hidden(entry: Path) -> bool:
    """Whether an entry is a file that systems hide from users."""
    return entry.name.startswith(".") or entry.name in SYSTEM_FILES
