"""`graft rollback`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.commands.registry_options import Artifact, Push, Stage


def main(
    stage: Annotated[Stage, typer.Argument(help="The stage to give back.")],
    push: Push = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which version would get it, and tag nothing.")
    ] = False,
    artifact: Artifact = None,
) -> None:
    """Give a stage back to the version that had it before. Nothing is deleted."""
    from graft.console import say
    from graft.registry.project import open_project
    from graft.registry.promotion import rollback

    with open_project(Path(), artifact, alone=True) as project:
        for line in rollback(project, stage.value, push, dry_run):
            say(line)
