"""Files that a killed training resumes from. If one is damaged, its training restarts."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from graft.common import checked_file
from graft.common.checked_file import write_checked as write_checked
from graft.console import say

Content = TypeVar("Content")


def read_checked(path: Path, load: Callable[[bytes], Content]) -> Content | None:
    """Read the payload of a file that `write_checked` wrote; None if there is no usable one.

    A line says that a file was damaged. `load` makes the content from the payload.
    """
    return checked_file.read_checked(
        path, load, lambda fault: say(f"{fault}; this training restarts")
    )
