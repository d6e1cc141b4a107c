"""A fake run as the report loads it."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path

import pytest

from graft.config.parameters import load_parameters
from graft.evidence.evidence import Evidence, load_evidence
from tests import runs

ROOT = Path(__file__).parents[3]
COMMANDS = {
    "learning_curve": "dvc exp run -S 'learning_curve.shares=[0.05,0.1,0.2,0.5]'",
    "cross_validation": "dvc exp run -S cross_validation.folds=5",
}


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run as `tests.runs.write_run` does, below the test's own folder."""
    return partial(runs.write_run, tmp_path)


@pytest.fixture
def read_run(write_run: Callable[..., Path]) -> Callable[..., Evidence]:
    """Write a run and load it with the default parameters."""
    defaults = load_parameters(ROOT / "params.yaml").model_dump(by_alias=True)

    def write_and_load(
        classes: tuple[str, ...] = ("benign", "malignant"), **options: object
    ) -> Evidence:
        folder = write_run(classes, **options)
        parameters = deepcopy(defaults)
        parameters["domains"]["liver"]["classes"] = list(classes)
        return load_evidence(
            folder,
            folder.parent / "models/best/card.json",
            parameters,
            parameters_name="params.yaml",
            commands=COMMANDS,
            synthetic=True,
        )

    return write_and_load
