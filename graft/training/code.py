"""The code that makes a cached training: a digest of graft's own, and the versions of libraries."""

from graft.common import code
from graft.common.code import code_digest as code_digest

# The libraries that compute the numbers of a training or of its predictions.
LIBRARIES = ("monai", "numpy", "scikit-learn", "scipy", "torch", "torchvision")


def library_versions() -> dict[str, str]:
    """The installed version of each of the LIBRARIES."""
    return code.library_versions(LIBRARIES)
