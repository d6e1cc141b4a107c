"""What the code imports is declared in pyproject.toml and pinned in requirements.lock."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
OWN = ("graft", "stages", "flows", "benchmarks", "examples", "tests", "data")
# Not installed for the tests: docs/prefect.md installs one, mlflow-skinny and flwr carry others.
OPTIONAL = {"cryptography", "dask-jobqueue", "grpc", "mlflow"}
# Extras that most tests do not need: one is under another licence, two need other versions.
NOT_PINNED = {"flwr", "mlflow-skinny", "pylibjpeg-libjpeg"}


def imported_packages(folder: Path) -> set[str]:
    """The top-level packages that the files of a folder import, without our own."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - set(OWN)


def normalised(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def declared_names() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = set()
    for group in (project["dependencies"], *project["optional-dependencies"].values()):
        for line in group:
            names.add(normalised(re.match(r"[\w.-]+", line)[0]))
    return names


def test_what_is_imported_is_declared():
    found = set()
    for folder in OWN:
        found |= imported_packages(ROOT / folder)
    assert {"torch", "dvc", "prefect"} <= found
    distributions = packages_distributions()
    declared = declared_names()
    missing = []
    for name in sorted(found):
        carriers = {normalised(carrier) for carrier in distributions.get(name, [name])}
        if carriers - OPTIONAL and not carriers & declared:
            missing.append(name)
    assert missing == []


def test_what_is_declared_is_pinned():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = {normalised(line.partition("==")[0]) for line in lines}
    assert declared_names() - pinned == NOT_PINNED
