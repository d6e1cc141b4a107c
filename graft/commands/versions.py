"""`graft versions`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.commands.registry_options import METRICS, Artifact, Metrics


def main(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    artifact: Artifact = None,
    metrics: Metrics = METRICS,
) -> None:
    """List the versions of a model: stage, commit, verdict on transfer, AUROC."""
    import json

    from graft.console import say
    from graft.registry.listing import list_versions, table_lines
    from graft.registry.project import open_project

    with open_project(Path(), artifact) as project:
        rows = list_versions(project, metrics)
        name = project.artifact
    if as_json:
        say(json.dumps(rows, indent=2))
        return
    if not rows:
        say(f"{name}: has no version; `graft promote --version v1.0.0` makes the first")
        return
    for line in table_lines(rows):
        say(line)
