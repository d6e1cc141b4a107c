"""Options that the commands of the registry share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Stage(StrEnum):
    """What a version is used for."""

    STAGING = "staging"
    PRODUCTION = "production"


class Bump(StrEnum):
    """The number of a version that is raised by one."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


Artifact = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The artifact of dvc.yaml (default: the only one)."),
]
Metrics = Annotated[Path, typer.Option(help="The metrics of the run that made the model.")]
Push = Annotated[
    str | None,
    typer.Option(metavar="REMOTE", help="Fetch the tags of this git remote, and push new ones."),
]
METRICS = Path("metrics/metrics.json")
