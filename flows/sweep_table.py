"""The results of a sweep: a row per point and model, the best row, and a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = ("test", "external")
ESTIMATE = ("value", "low", "high")
LINE_SPACING = 0.12  # horizontal distance of two models at one point; points are 1 apart


def model_rows(values: Mapping[str, object], experiment: str, metrics: dict) -> list[dict]:
    """Return a row per model: the point, validation loss, and each part's AUROC with interval."""
    rows = []
    for name, model in metrics["models"].items():
        row = {
            **values,
            "experiment": experiment,
            "model": name,
            "validation_log_loss": model["validation"]["log_loss"],
        }
        for part in PARTS:
            scores = model[part]
            for column in ESTIMATE:
                row[f"{part}_auroc_{column}"] = scores["auroc"][column] if scores else None
        rows.append(row)
    return rows


def best_row(table: pd.DataFrame) -> int:
    """Return the position of the first row with the lowest validation loss.

    The test parts do not influence the choice.
    """
    return int(table["validation_log_loss"].to_numpy().argmin())


def point_title(values: Mapping[str, object]) -> str:
    """Return the name of a point, such as `lambda 0.1, seed 3`."""
    words = []
    for key, value in values.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        words.append(f"{key} {shown}")
    return ", ".join(words)


def draw_sweep(table: pd.DataFrame, keys: Sequence[str], path: Path) -> None:
    """Draw AUROC with its intervals against the points: a panel per part, a line per model."""
    from matplotlib.figure import Figure

    titles = table[list(keys)].apply(lambda row: point_title(dict(row)), axis=1)
    parts = [part for part in PARTS if table[f"{part}_auroc_value"].notna().any()]
    figure = Figure(figsize=(4 * len(parts) + 2, 4), layout="constrained")
    panels = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    for axes, part in zip(panels, parts, strict=True):
        _draw_part(axes, table, titles, part)
    panels[0].set_ylabel("AUROC")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(path, format="png", dpi=150, metadata={"Software": None})


def _draw_part(axes: "Axes", table: pd.DataFrame, titles: pd.Series, part: str) -> None:
    ticks = {title: k for k, title in enumerate(titles.unique())}
    models = table["model"].unique()
    for k, name in enumerate(models):
        rows = table[table["model"] == name]
        value = rows[f"{part}_auroc_value"]
        low = rows[f"{part}_auroc_low"]
        high = rows[f"{part}_auroc_high"]
        shift = (k - (len(models) - 1) / 2) * LINE_SPACING
        axes.errorbar(
            titles[rows.index].map(ticks) + shift,
            value,
            [value - low, high - value],
            fmt="o-",
            markersize=4,
            linewidth=1,
            label=name,
        )
    axes.set_xticks(list(ticks.values()), list(ticks), rotation=30)
    axes.set_title(part)
    axes.axhline(0.5, color="grey", linewidth=0.5)
