"""Report: what the run found, on one page."""

from pathlib import Path

from graft.common.files import whole_file
from graft.config import load
from graft.console import run, say

METRICS, CARD = Path("metrics"), Path("models/best/card.json")
REPORT = METRICS / "report.html"


def main() -> None:
    everything = load.load().model_dump(by_alias=True)
    from graft.report import (
        evidence,
        page,
    )  # matplotlib and pandas: nothing that a wrong parameter should wait for

    found = evidence.read(METRICS, CARD, everything)
    with whole_file(REPORT) as path:
        path.write_text(page.render(found), encoding="utf-8", newline="\n")
    say(f"{REPORT}: {found.metrics['verdict']}")


if __name__ == "__main__":
    run(main)
