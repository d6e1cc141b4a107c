"""Proof that the chain gives the same bytes: run it in two fresh clones and compare what they leave.

    make prove

Each clone of the committed HEAD has a DVC cache of its own, so that nothing is carried over. Prints the SHA-256 of
metrics.json and of every weights file, and ends with exit status 1 where one differs. Takes twice as long as the chain:
about 6 minutes on 2 cores.
"""

import sys
from pathlib import Path

from benchmarks import clone
from graft.common.files import sha256
from graft.console import run, say


def main() -> None:
    first, second = hashes(), hashes()
    names = sorted(first | second)
    for name in names:
        one, other = first.get(name, "missing"), second.get(name, "missing")
        say(
            f"same     {one}  {name}"
            if one == other
            else f"DIFFERS  {one}  {name}\n         {other}"
        )
    different = sum(first.get(name) != second.get(name) for name in names)
    say(f"{len(names) - different} of {len(names)} files have the same bytes in two fresh clones")
    sys.exit(1 if different else 0)


def hashes() -> dict[str, str]:
    """SHA-256 by path of what `dvc repro` leaves in a fresh clone: the metrics and every model's weights."""
    with clone.fresh() as folder:
        clone.dvc(folder, "repro")
        files = [folder / "metrics/metrics.json", *folder.glob("models/**/weights.safetensors")]
        return {_name(file, folder): sha256(file) for file in files}


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


if __name__ == "__main__":
    run(main)
