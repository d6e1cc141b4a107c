"""Write the report: one HTML page about the results of the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.common.files import whole_file
from graft.common.parameters import read_yaml
from graft.console import run, say
from graft.report.evidence import load_evidence
from graft.report.origin import published_keys
from graft.report.page import render_page
from graft.report.words import power
from stages import paths

COMMANDS = {
    "learning_curve": "dvc exp run -S 'learning_curve.shares=[0.05,0.1,0.2,0.5]'",
    "cross_validation": "dvc exp run -S cross_validation.folds=5",
}


def main() -> None:
    """Write metrics/report.html."""
    parameters = read_yaml(paths.PARAMETERS)
    evidence = load_evidence(
        paths.METRICS,
        paths.BEST / "card.json",
        parameters,
        parameters_name=paths.PARAMETERS.name,
        commands=COMMANDS,
        synthetic=uses_phantom(parameters),
    )
    with whole_file(paths.REPORT) as path:
        path.write_text(render_page(evidence), encoding="utf-8", newline="\n")
    say(f"{paths.REPORT}: {evidence.metrics['verdict']}")
    if sentence := power(evidence):
        say(sentence)
        if not evidence.block("cross_validation"):
            say(f"Cross-validation tests all {evidence.unit}s: {COMMANDS['cross_validation']}")
    for sentence in published_keys(evidence):
        say(sentence)


def uses_phantom(parameters: Mapping[str, Any]) -> bool:
    """Whether the source or the target is a synthetic cohort."""
    for role in ("source", "target"):
        folder = Path(parameters["domains"][parameters[role]]["path"])
        if paths.is_phantom(folder):
            return True
    return False


if __name__ == "__main__":
    run(main)
