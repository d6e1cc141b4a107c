"""The machine and the libraries of a measurement, without the name of the machine or a path."""

import platform
from importlib.metadata import version
from pathlib import Path

import psutil
from joblib import cpu_count

LIBRARIES = ("torch", "monai", "numpy")
PROCESSORS = Path("/proc/cpuinfo")  # of Linux, where platform.processor() is often empty


def describe_machine() -> str:
    """Return the processor, its cores, the memory and the GPU."""
    import torch  # late, because it is slow

    memory = psutil.virtual_memory().total / 1e9
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{processor_name()}, {cpu_count()} cores, {memory:.0f} GB, {gpu}"


def describe_libraries() -> str:
    """Return the versions of Python and of the libraries that decide how fast graft and peers are.

    An operating system is one of them.
    """
    versions = [f"{name} {version(name)}" for name in LIBRARIES]
    return ", ".join([platform.system(), f"Python {platform.python_version()}", *versions])


def processor_name() -> str:
    """Return the name of the processor, or of its architecture if the system does not tell."""
    if PROCESSORS.exists():
        for line in PROCESSORS.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
