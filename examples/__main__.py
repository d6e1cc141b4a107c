"""Run an example in a workspace of its own: `python -m examples ct-to-mr`."""

from pathlib import Path
from typing import Annotated

import typer

from examples import stand_ins
from examples.workspace import ROOT, link_data, prepare_workspace, run_command
from graft.common.files import InputError
from graft.config.parameters import load_parameters
from graft.console import run, say

HOME = Path(__file__).parent
EXAMPLES = sorted(file.parent.name for file in HOME.glob("*/params.yaml"))
USER_DATA = Path("data/raw")  # the folder of the user's own data


def main(
    name: Annotated[
        str | None, typer.Argument(help="The example to run (default: list the examples).")
    ] = None,
) -> None:
    """Run the pipeline of an example in .graft/examples/NAME; without a name, list the examples."""
    if name is None:
        for example in EXAMPLES:
            say(f"{example:12}{first_comment(parameter_file(example))}")
        return
    if name not in EXAMPLES:
        raise InputError(f"examples: got {name!r}, expected one of {', '.join(EXAMPLES)}")
    paths = user_paths(parameter_file(name))
    missing = [path for path in paths if not (ROOT / path).exists()]
    for path in missing:
        if path not in stand_ins.ORGANS:
            raise InputError(f"{path}: is missing, expected your data as described in docs/data.md")
    folder = prepare_workspace(name, parameter_file(name))
    for path in paths:
        if path in missing:
            stand_ins.write_arrays(folder, path)
        else:
            link_data(folder, path)
    run_command(folder, "dvc", "repro")
    metrics = folder / "metrics/metrics.json"
    say(f"{name}: done. The numbers are in {metrics.relative_to(ROOT)}")


def user_paths(parameters: Path) -> list[Path]:
    """Return the paths of the domains that are the user's own data."""
    domains = load_parameters(parameters).domains.values()
    paths = [Path(domain.path) for domain in domains]
    return [path for path in paths if path.is_relative_to(USER_DATA)]


def parameter_file(name: str) -> Path:
    """Return the params.yaml of an example."""
    return HOME / name / "params.yaml"


def first_comment(file: Path) -> str:
    """Return the comment in the first line of a file."""
    return file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")


if __name__ == "__main__":
    run(main)
