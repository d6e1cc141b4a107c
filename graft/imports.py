"""Which modules of graft a module rests on, read from its text: the same whoever has loaded what."""

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent


@cache
def reached(module: Path) -> tuple[Path, ...]:
    """A module of graft and all of graft that it imports, directly or not, at the top or late; sorted."""
    found, todo = set(), [module]
    while todo:
        current = todo.pop()
        if current not in found:
            found.add(current)
            todo += _imported(current)
    return tuple(sorted(found))


def _imported(module: Path) -> list[Path]:
    names = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    paths = (
        PACKAGE.parent.joinpath(*name.split("."))
        for name in names
        if name.partition(".")[0] == PACKAGE.name
    )
    candidates = (
        file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py")
    )
    return [file for file in candidates if file.is_file()]
