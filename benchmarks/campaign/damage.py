"""Ways to damage a file, each decided by a generator of random numbers."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

BLOCK_BYTES = 512  # of a block that a disk loses


def flip_bit(path: Path, random: np.random.Generator) -> str:
    """Flip one bit."""
    content = bytearray(path.read_bytes())
    place = int(random.integers(len(content) * 8)) if content else 0
    if content:
        content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    return f"flipped bit {place % 8} of byte {place // 8}"


def flip_in_header(path: Path, random: np.random.Generator) -> str:
    """Flip one bit of the first 400 bytes, where headers are."""
    content = bytearray(path.read_bytes())
    place = int(random.integers(min(len(content), 400) * 8)) if content else 0
    if content:
        content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    return f"flipped bit {place % 8} of byte {place // 8}"


def cut_short(path: Path, random: np.random.Generator) -> str:
    """Remove the end of the file."""
    size = path.stat().st_size
    left = int(random.integers(size)) if size else 0
    os.truncate(path, left)
    return f"cut to {left} of {size} bytes"


def empty(path: Path, random: np.random.Generator) -> str:
    """Remove the content."""
    os.truncate(path, 0)
    return "empty"


def overwrite_block(path: Path, random: np.random.Generator) -> str:
    """Replace a block by zeros or by noise."""
    content = bytearray(path.read_bytes())
    start = int(random.integers(max(len(content) - BLOCK_BYTES, 1)))
    length = min(BLOCK_BYTES, len(content) - start)
    noise = bool(random.integers(2))
    block = random.bytes(length) if noise else bytes(length)
    content[start : start + length] = block
    path.write_bytes(content)
    return f"{length} bytes of {'noise' if noise else 'zeros'} from byte {start}"


def append_bytes(path: Path, random: np.random.Generator) -> str:
    """Append noise."""
    with path.open("ab") as file:
        file.write(random.bytes(64))
    return "64 bytes appended"


def replace_by_noise(path: Path, random: np.random.Generator) -> str:
    """Replace the content by noise of the same length."""
    path.write_bytes(random.bytes(path.stat().st_size))
    return "noise of the same size"


def delete(path: Path, random: np.random.Generator) -> str:
    """Delete the file."""
    path.unlink()
    return "deleted"


def make_folder(path: Path, random: np.random.Generator) -> str:
    """Put a folder in the place of the file."""
    path.unlink()
    path.mkdir()
    return "a folder"


def make_fifo(path: Path, random: np.random.Generator) -> str:
    """Put a FIFO in the place of the file, which nobody writes to."""
    path.unlink()
    os.mkfifo(path)
    return "a FIFO"


def make_dead_link(path: Path, random: np.random.Generator) -> str:
    """Put a symbolic link to nothing in the place of the file."""
    path.unlink()
    path.symlink_to("nothing-here")
    return "a link to nothing"


def link_to_itself(path: Path, random: np.random.Generator) -> str:
    """Put a symbolic link to itself in the place of the file."""
    path.unlink()
    path.symlink_to(path.name)
    return "a link to itself"


def swap_with_neighbour(path: Path, random: np.random.Generator) -> str:
    """Put another whole file of the same type and folder, or of the run, in its place."""
    others = [other for other in sorted(path.parent.glob(f"*{path.suffix}")) if other != path]
    if not others:
        return flip_bit(path, random)
    other = others[int(random.integers(len(others)))]
    shutil.copyfile(other, path)
    return f"the bytes of {other.name}"


Way = Callable[[Path, np.random.Generator], str]

FLIPS: Mapping[str, Way] = {"flip": flip_bit, "header": flip_in_header}
DAMAGE: Mapping[str, Way] = {
    "cut": cut_short,
    "empty": empty,
    "block": overwrite_block,
    "append": append_bytes,
    "noise": replace_by_noise,
    "delete": delete,
    "folder": make_folder,
    "fifo": make_fifo,
    "dead link": make_dead_link,
    "loop": link_to_itself,
    "swap": swap_with_neighbour,
}
