"""Write the report: one HTML page about the results of the run.

It shows the parameters that the stages used, which may no longer be those of params.yaml.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graft.common.differences import differences
from graft.common.files import InputError, whole_file
from graft.common.lock_files import producers, read_lock, stage_names, used_parameters
from graft.common.parameters import read_parameter_file
from graft.common.shown import shown
from graft.console import run, say
from graft.evidence.evidence import load_evidence
from graft.report.origin import published_keys
from graft.report.page import render_page
from graft.report.words import power
from stages import paths

COMMANDS = {
    "learning_curve": "dvc exp run -S 'learning_curve.shares=[0.05,0.1,0.2,0.5]'",
    "cross_validation": "dvc exp run -S cross_validation.folds=5",
}

SHOWN = (
    paths.ATTACKS,
    paths.EXPLAIN,
    paths.METRICS_DOCUMENT,
    paths.PLOTS,
    paths.PREDICTIONS,
    paths.BEST,
)


def main() -> None:
    """Write metrics/report.html.

    Raises InputError, after the page is written, if params.yaml has other parameters by now: DVC
    would record that the page shows those.
    """
    parameters = read_used_parameters()
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
    for found in differences(parameters, read_parameter_file(paths.PARAMETERS)):
        raise InputError(
            f"{paths.PARAMETERS}: {found.key}: this run used {shown(found.first)}, but the file "
            f"has {shown(found.second)} now; run `dvc repro`"
        )


def read_used_parameters() -> dict[str, Any]:
    """The parameters of the stages behind the results, in the order of params.yaml."""
    now = read_parameter_file(paths.PARAMETERS)
    entries = {}
    for pipeline in paths.PIPELINES:
        names = stage_names(pipeline, now)
        for name, entry in read_lock(pipeline.with_suffix(".lock")).items():
            if name in names:
                entries[name] = entry
    behind = producers(entries, [path.as_posix() for path in SHOWN])
    used = used_parameters(behind, paths.PARAMETERS.name)
    return in_order(used, now)


def in_order(content: Any, order: Any) -> Any:
    """Nested mappings with their keys in the order of others. Keys that these lack come last."""
    if not isinstance(content, Mapping) or not isinstance(order, Mapping):
        return content
    keys = [key for key in order if key in content]
    keys += [key for key in content if key not in order]
    return {key: in_order(content[key], order.get(key)) for key in keys}


def uses_phantom(parameters: Mapping[str, Any]) -> bool:
    """Whether the source or the target is a synthetic cohort."""
    for role in ("source", "target"):
        folder = Path(parameters["domains"][parameters[role]]["path"])
        if paths.is_phantom(folder):
            return True
    return False


if __name__ == "__main__":
    run(main)
