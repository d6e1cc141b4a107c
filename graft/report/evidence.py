"""Everything the report is made from, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from graft.common.files import InputError, read_json
from graft.common.vocabulary import TESTS

CURVES = ("roc", "precision_recall", "calibration", "decision")
KEYS = (
    "models",
    "baselines",
    "transfer_gain",
    "verdict",
    "chosen",
    "source",
    "target",
    "bootstrap",
)  # of metrics.json


@dataclass(frozen=True)
class Evidence:
    """What a run left behind, as it stands in its files."""

    metrics: Mapping  # metrics.json
    predictions: pd.DataFrame  # a row for each test or external case and model
    curves: Mapping[str, pd.DataFrame]  # those of CURVES that there are
    params: Mapping  # the whole of params.yaml
    card: Mapping  # of the chosen model
    saliency: Mapping | None  # explain/saliency.json
    robustness: Mapping | None  # explain/robustness.json
    pictures: Mapping[str, bytes]  # maps/<sample>.png

    @property
    def parts(self) -> tuple[str, ...]:
        """Those of TESTS that have patients."""
        return tuple(part for part in TESTS if self.metrics["target"]["counts"][part])

    @property
    def level(self) -> str:
        return f"{self.metrics['bootstrap']['confidence'] * 100:g}\N{NO-BREAK SPACE}%"

    @property
    def classes(self) -> list[str]:
        return list(self.params["domains"][self.params["target"]]["classes"])

    @property
    def chosen(self) -> str:
        return self.metrics["chosen"]["model"]

    def block(self, name: str) -> dict | list | None:
        """A block of metrics.json that may be null."""
        return self.metrics.get(name)

    def cases(self, model: str, part: str) -> pd.DataFrame:
        """One model's rows of predictions.csv on one part."""
        known = self.predictions
        return known[(known["model"] == model) & (known["part"] == part)]


def read(metrics: Path, card: Path, params: Mapping) -> Evidence:
    """Read the folder `metrics` as evaluate and explain left it, and the card of the chosen model.

    Raises InputError, in one line, where a file is missing or is not what its name says.
    """
    found = read_json(metrics / "metrics.json")
    if missing := [key for key in KEYS if key not in found]:
        raise InputError(
            f"{metrics / 'metrics.json'}: has no {missing[0]!r}, expected the file that evaluate writes"
        )
    explain = metrics / "explain"
    return Evidence(
        metrics=found,
        predictions=_table(
            metrics / "predictions.csv", {"sample", "part", "label", "model", "predicted"}
        ),
        curves={
            name: _table(metrics / "plots" / f"{name}.csv", {"part", "model"})
            for name in CURVES
            if (metrics / "plots" / f"{name}.csv").exists()
        },
        params=params,
        card=read_json(card),
        saliency=_optional(explain / "saliency.json"),
        robustness=_optional(explain / "robustness.json"),
        pictures={
            f"maps/{path.name}": path.read_bytes()
            for path in sorted((explain / "maps").glob("*.png"))
        },
    )


def auroc_of(point: Mapping, arm: str) -> Mapping | None:
    """The AUROC of an arm at one point of the learning curve."""
    return (point["arms"].get(arm) or {}).get("auroc")


def _optional(path: Path) -> dict | None:
    return read_json(path) if path.exists() else None


def _table(path: Path, columns: set[str]) -> pd.DataFrame:
    """`columns` are read as text, whatever their values look like: a class may be called 1, or NA."""
    try:
        table = pd.read_csv(
            path, dtype=dict.fromkeys(columns, str), keep_default_na=False, na_values=[""]
        )
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    if missing := sorted(columns - set(table.columns)):
        raise InputError(
            f"{path}: has no column {missing[0]!r}, expected {', '.join(sorted(columns))}"
        )
    return table
