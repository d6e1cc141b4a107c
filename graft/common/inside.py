"""Raw files must be files inside their folder, also after every link is followed."""

from pathlib import Path

from graft.common.files import InputError, check_regular_file


def check_file_inside(path: Path, folder: Path) -> None:
    """Check a file before it is read.

    Raises InputError if it is missing, is a pipe, a device or a folder, or links to a place outside
    `folder`. `folder` itself may be a link.
    """
    check_regular_file(path)
    check_inside(path, folder)


def check_inside(path: Path, folder: Path) -> None:
    """Raise InputError if a path links to a place outside `folder`."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{path}: is a link that leaves the folder, expected a file inside {folder}"
        )
