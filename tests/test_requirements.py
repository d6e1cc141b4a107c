"""What the code imports is declared in pyproject.toml and pinned in requirements.lock."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("graft", "stages", "flows", "benchmarks", "examples", "tests", "data")
OPTIONAL = {"dask-jobqueue"}  # read by who has a SLURM cluster; docs/prefect.md tells to install it


def imported(folder: Path) -> set[str]:
    """The top-level packages that the files of a folder import, those that they carry themselves left out."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - set(ROOMS)


def plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def test_what_is_imported_is_declared_and_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {plain(re.match(r"[\w.-]+", line)[0]) for group in groups for line in group}
    pinned = {
        plain(line.partition("==")[0])
        for line in (ROOT / "requirements.lock").read_text().splitlines()
    }
    found = set().union(*(imported(ROOT / room) for room in ROOMS))
    assert {"torch", "dvc", "prefect"} <= found
    carriers = packages_distributions()
    wanted = {
        name: {plain(carrier) for carrier in carriers.get(name, [name])} - OPTIONAL
        for name in found
    }
    assert [name for name, any_of in wanted.items() if any_of and not any_of & declared] == []
    assert declared - pinned == set()
