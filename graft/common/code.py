"""The code that makes a cached result: a digest of graft's own, and the versions of libraries."""

import functools
import hashlib
import json
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

GRAFT = Path(__file__).parents[1]
# The libraries that compute the numbers of a training or of its predictions.
LIBRARIES = ("monai", "numpy", "scikit-learn", "scipy", "torch", "torchvision")


def code_digest(packages: Iterable[str]) -> str:
    """SHA-256, in hexadecimal, of all modules of some packages of graft, such as `training`."""
    digest = hashlib.sha256()
    for package in sorted(packages):
        for path in sorted((GRAFT / package).rglob("*.py")):
            digest.update(path.relative_to(GRAFT).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def library_versions(names: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """The installed version of each library, "" for one that is not installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = ""
    return versions


@functools.cache
def running_code() -> str:
    """A digest of what this process computes with: graft, Python and all installed libraries.

    It is computed once, so that it stays that of the modules that a worker of a cluster has loaded,
    even if their files change later.
    """
    libraries = sorted({(found.name, found.version) for found in distributions()})
    text = json.dumps([code_digest(["."]), platform.python_version(), libraries])
    return hashlib.sha256(text.encode()).hexdigest()
