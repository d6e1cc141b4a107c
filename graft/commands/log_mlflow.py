"""`graft log-mlflow`."""

from pathlib import Path
from typing import Annotated

import typer

from graft.commands.registry_options import METRICS, Artifact, Metrics


def main(
    uri: Annotated[
        str,
        typer.Argument(
            envvar="MLFLOW_TRACKING_URI", help="The server, or a database: sqlite:///mlflow.db."
        ),
    ],
    version: Annotated[
        str | None, typer.Option(help="The version to log (default: the highest).")
    ] = None,
    artifact: Artifact = None,
    metrics: Metrics = METRICS,
) -> None:
    """Log a version to MLflow: parameters, metrics with intervals, the model, its stages."""
    from graft.console import say
    from graft.registry.project import open_project
    from graft.registry.tracking import log_version

    with open_project(Path(), artifact) as project:
        for line in log_version(project, metrics, version, uri):
            say(line)
