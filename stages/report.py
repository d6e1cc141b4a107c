"""Write what the run found on one page."""

from graft.common.files import whole_file
from graft.common.parameters import read_yaml
from graft.console import run, say
from graft.report.evidence import read
from graft.report.page import render
from stages import paths


def main() -> None:
    """Write metrics/report.html."""
    parameters = read_yaml(paths.PARAMETERS)
    evidence = read(paths.METRICS, paths.BEST / "card.json", parameters)
    with whole_file(paths.REPORT) as path:
        path.write_text(render(evidence), encoding="utf-8", newline="\n")
    say(f"{paths.REPORT}: {evidence.metrics['verdict']}")


if __name__ == "__main__":
    run(main)
