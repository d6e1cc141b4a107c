"""The limits of the service, and the names that its processes share."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20
SCAN, MASK, RESULT = "scan", "mask", "result"  # files in the folder of a request
LESION_FIELDS = ("frame", "series", "segment", "diameter_mm", "covariates")


@dataclass(frozen=True)
class Limits:
    """What a request may cost, and how many may wait.

    Attributes:
        upload: bytes of the body of a request.
        inflated: bytes that the members of a zip may have in all.
        files: that a zip may have.
        view: bytes of the voxels that `POST /slices` returns; a larger scan is thinned out.
        memory: bytes that a process may reserve while it works.
        seconds: that an upload may take, and then again that the work on it may take.
        workers: processes that work, each on one request at a time.
        waiting: requests that may wait for a process, or still arrive. More get 503.
    """

    upload: int = 1024 * MEBIBYTE
    inflated: int = 4096 * MEBIBYTE
    files: int = 10_000
    view: int = 64 * MEBIBYTE
    memory: int = 8192 * MEBIBYTE
    seconds: float = 60.0
    workers: int = 1
    waiting: int = 16
