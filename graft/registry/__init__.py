"""A registry without a server: the versions of a model and their stages are tags of git."""

from collections.abc import Iterable
from importlib.util import find_spec

from graft.common.files import InputError

LIBRARIES = ("dvc", "git", "gto", "scmrepo")


def check_installed(libraries: Iterable[str] = LIBRARIES) -> None:
    """Raise InputError if a library is missing: a core installation only predicts."""
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the registry needs {', '.join(missing)}, which is not installed, expected the extra "
            "`registry`, as in pip install '.[registry]'"
        )


check_installed()
