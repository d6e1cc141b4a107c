"""Memory that a training step frees is kept for the next step."""

import ctypes

# Parameters of `mallopt`, from malloc.h of the GNU C library, and their values in bytes.
M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3
KEPT_BYTES = {M_TRIM_THRESHOLD: 2**29, M_TOP_PAD: 2**26, M_MMAP_THRESHOLD: 2**25}


def keep_freed_memory() -> None:
    """Let the C library keep up to 512 MiB of freed memory, for the whole process.

    A step on a CPU allocates and frees the same tensors of some megabytes again and again. By
    default they go back to the operating system each time, which then clears the pages that it
    hands out. This takes a quarter of a step. C libraries without `mallopt` are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in KEPT_BYTES.items():
            mallopt(parameter, value)
