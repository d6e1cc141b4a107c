"""`graft promote`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.commands.registry_options import METRICS, Artifact, Bump, Metrics, Push, Stage


def main(
    version: Annotated[
        str | None, typer.Option(help="The new version, such as v1.2.0, above all others.")
    ] = None,
    bump: Annotated[
        Bump | None, typer.Option(help="The number to raise instead (default: patch).")
    ] = None,
    stage: Annotated[
        Stage | None, typer.Option(help="The stage to give to the new or present version.")
    ] = None,
    gates: Annotated[
        Path | None,
        typer.Option(help="A YAML file with gates for metrics (default: AUROC as in production)."),
    ] = None,
    push: Push = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the gates find, and tag nothing.")
    ] = False,
    artifact: Artifact = None,
    metrics: Metrics = METRICS,
) -> None:
    """Give the model of this commit a version or a stage, if it passes every gate."""
    from graft.console import say
    from graft.registry.gates import read_gates
    from graft.registry.project import open_project
    from graft.registry.promotion import Wish, promote

    wanted = read_gates(gates) if gates else None
    wish = Wish(version, bump and bump.value, stage and stage.value, push, dry_run)
    with open_project(Path(), artifact, alone=True) as project:
        for line in promote(project, metrics, wanted, wish):
            say(line)
