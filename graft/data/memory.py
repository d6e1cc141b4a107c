"""How much memory a device has left."""

from pathlib import Path

import torch

from graft.common.parallel import count_workers

# The memory that a container may use, and what it uses, by versions 2 and 1 of control groups.
CONTAINERS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def free_memory(device: torch.device) -> int:
    """The free memory of a GPU, or the available memory of this machine or container, in bytes."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    import psutil  # late: a GPU needs no answer from it

    limits = [psutil.virtual_memory().available]
    for limit, used in CONTAINERS:
        if limit.is_file() and (text := limit.read_text().strip()).isdecimal():
            limits.append(int(text) - int(used.read_text()))
    return max(0, min(limits))


def share_for_each(share: float, device: torch.device) -> float:
    """Divide a share of memory among the processes that train at once on this machine.

    Trainings on a GPU run one after the other.
    """
    return share if device.type == "cuda" else share / count_workers()
