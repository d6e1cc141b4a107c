"""Attack graft, and count what it survives: python -m benchmarks.campaign."""

from benchmarks.campaign.command import main
from graft.console import run

if __name__ == "__main__":
    run(main)
