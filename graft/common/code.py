"""The code that makes a cached result: a digest of graft's own, and the versions of libraries."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

GRAFT = Path(__file__).parents[1]


def code_digest(packages: Iterable[str]) -> str:
    """SHA-256, in hexadecimal, of all modules of some packages of graft, such as `training`."""
    digest = hashlib.sha256()
    for package in sorted(packages):
        for path in sorted((GRAFT / package).rglob("*.py")):
            digest.update(path.relative_to(GRAFT).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """The installed version of each library, "" for one that is not installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = ""
    return versions
