"""Measure the service, and send it damaged uploads: python -m benchmarks.service."""

from benchmarks.service.command import main
from graft.console import run

if __name__ == "__main__":
    run(main)
