"""graft: transfers a diagnosis model from one organ to another, and reports whether that helped.

`graft.load("models/best")` loads a trained model to predict with.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {"load": "graft.prediction.predictor"}  # names, and the modules that have them


def __getattr__(name: str) -> Any:
    """Import a public name when it is used first: no stage pays for it or depends on it."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
