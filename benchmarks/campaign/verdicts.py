"""The verdict on a step that met a damaged file."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.campaign.attempts import Ended
from benchmarks.campaign.kinds import Kind
from graft.data.domain import Domain

READ = "data/read"  # where the step of a small raw domain writes


def judge(
    ended: Ended,
    kind: Kind,
    way: str,
    found: Mapping[str, str],
    expected: Mapping[str, str],
    copy: Path,
) -> tuple[str, str]:
    """The verdict on a step that met a damaged file."""
    fault = ended.fault()
    if fault:
        return fault
    if ended.refused():
        return "survived", ended.err.strip()
    if dict(found) == dict(expected):
        return "survived", "the same result"
    if way in kind.unseen:
        return _judge_data(copy)
    return "wrong", "another result without a message"


def _judge_data(copy: Path) -> tuple[str, str]:
    """Other data gives other images, which have to be finite and within [0, 1]."""
    for folder in (copy / READ, copy / "data/processed/liver"):
        if not (folder / "images.npy").is_file():
            continue
        images = np.asarray(Domain.read(folder).images, np.float32)
        if not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 1):
            return "wrong", "images that are not within [0, 1]"
    return "survived", "other data"


def lost_files(
    before: Mapping[str, str], after: Mapping[str, str], may: tuple[str, ...]
) -> list[str]:
    """The files that changed or disappeared although the step does not write them."""
    found = []
    for name, digest in before.items():
        if after.get(name) != digest and not name.startswith((*may, "metrics/curves")):
            found.append(name)
    return found
