"""Changes of sealed files that keep their SHA-256 right, to test what else is checked."""

import json
from collections.abc import Callable
from pathlib import Path

from graft.common.files import FILES, SEAL, write_sealed


def reseal(path: Path, change: Callable[[dict], object] = lambda content: None) -> None:
    """Change a sealed document, and write it with the SHA-256 that it and its files have now."""
    content = json.loads(path.read_text())
    content.pop(SEAL)
    files = content.pop(FILES, {})
    change(content)
    write_sealed(path, content, files)


def flip_bit(path: Path, position: int, bit: int = 0) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)
