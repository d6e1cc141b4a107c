"""Symbolic links."""

import os
from pathlib import Path


def follow_links(path: Path) -> Path:
    """The absolute path behind all links.

    Unlike `Path.resolve`, it accepts a link to itself, which whatever opens it refuses by name.
    """
    return Path(os.path.realpath(path))
