"""A run as the report reads it."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from graft.config.parameters import load_parameters
from graft.report import evidence
from graft.report.evidence import Evidence
from tests.runs import write_run  # noqa: F401, a fixture

ROOT = Path(__file__).parents[3]


@pytest.fixture
def read_run(write_run: Callable[..., Path]) -> Callable[..., Evidence]:
    """Write a run as `write_run` does, and read it with the parameters of the default run."""
    everything = load_parameters(ROOT / "params.yaml").model_dump(by_alias=True)

    def read(classes: tuple[str, ...] = ("benign", "malignant"), **options: object) -> Evidence:
        folder, known = write_run(classes, **options), deepcopy(everything)
        known["domains"]["liver"]["classes"] = list(classes)
        return evidence.read(folder, folder.parent / "models/best/card.json", known)

    return read
