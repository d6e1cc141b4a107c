"""How long a call takes."""

import time
from collections.abc import Callable
from statistics import median


def median_seconds(
    call: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the median duration of a call in seconds, after one call that is not timed.

    Args:
        call: what is timed.
        repeats: the number of timed calls.
        clock: `time.process_time` measures processor time, which a busy machine does not lengthen.
    """
    call()
    seconds = []
    for _ in range(repeats):
        began = clock()
        call()
        seconds.append(clock() - began)
    return median(seconds)
