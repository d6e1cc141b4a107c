"""Symbolic links: where they lead, and whether that is inside a folder."""

import os
from pathlib import Path

from graft.common.files import InputError, check_regular_file


def follow_links(path: Path) -> Path:
    """The absolute path behind all links.

    Unlike `Path.resolve`, it accepts a link to itself, which whatever opens it refuses by name.
    """
    return Path(os.path.realpath(path))


def check_inside(path: Path, folder: Path) -> None:
    """Raise InputError if a path links to a place outside `folder`."""
    if not follow_links(path).is_relative_to(follow_links(folder)):
        raise InputError(
            f"{path}: is a link that leaves the folder, expected a file inside {folder}"
        )


def check_file_inside(path: Path, folder: Path) -> None:
    """Check a file before it is read.

    Raises InputError if it is missing, is a pipe, a device or a folder, or links to a place outside
    `folder`. `folder` itself may be a link.
    """
    check_regular_file(path)
    check_inside(path, folder)
