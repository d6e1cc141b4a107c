"""The words that graft itself writes, which identify nobody even if they are part of a name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import graft

WORD = re.compile("[A-Za-z]+")
IN_PARAMETERS = frozenset(("GRAFT", "PATIENT", "KEY"))  # a value in params.yaml
TEXTS = (".j2", ".json", ".css")  # templates and schemas


def own_words() -> frozenset[str]:
    """The words of graft's messages, column names, keys and templates, as they are spelled.

    Comments and docstrings do not count: they contain names of authors, and nothing writes them.
    """
    words: set[str] = set()
    for file in Path(graft.__file__).parent.rglob("*"):
        if file.suffix == ".py":
            for text in _written_texts(ast.parse(file.read_bytes())):
                words.update(WORD.findall(text))
        elif file.suffix in TEXTS:
            words.update(WORD.findall(file.read_text(encoding="utf-8")))
    return IN_PARAMETERS | words


def _written_texts(module: ast.Module) -> Iterator[str]:
    """The string constants of a module and the names of fields, which become keys of files."""
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None  # a docstring
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
