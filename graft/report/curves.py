"""ROC, precision-recall, reliability and decision curves."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from graft.charts.numbers import estimate, spoken
from graft.charts.svg import COLOURS, STYLES, Chart, draw_chart, set_unit_square
from graft.evidence.evidence import Evidence, score_of

MAX_POINTS = 300  # of a curve: further points cannot be seen but make the page heavy
CALIBRATIONS = {"none": "uncalibrated", "temperature": "temperature", "isotonic": "isotonic"}
SMALLEST_TOP = 0.05  # of the net benefit axis, so that it has a height without any benefit


def roc(evidence: Evidence, part: str) -> Chart | None:
    """Sensitivity by false positive rate."""

    def frame(axes: Axes) -> None:
        set_unit_square(axes, "false positive rate", "sensitivity")
        axes.plot([0, 1], [0, 1], color=COLOURS["grey"], linewidth=0.8)

    return _model_curves(evidence, "roc", part, ("fpr", "tpr"), "auroc", frame)


def precision_recall(evidence: Evidence, part: str) -> Chart | None:
    """Precision by sensitivity."""
    labels = evidence.cases(evidence.chosen, part)["label"]
    prevalence = (labels == evidence.classes[-1]).mean()

    def frame(axes: Axes) -> None:
        set_unit_square(axes, "sensitivity (recall)", "precision")
        axes.axhline(prevalence, color=COLOURS["grey"], linewidth=0.8)

    columns = ("recall", "precision")
    return _model_curves(evidence, "precision_recall", part, columns, "auprc", frame)


def reliability(evidence: Evidence, part: str) -> Chart | None:
    """Observed frequency of the disease by predicted probability, for each calibration."""
    series = _reliability_series(evidence, part)
    if not series:
        return None

    def paint(axes: Axes) -> None:
        set_unit_square(axes, "mean predicted probability", "observed frequency of the disease")
        axes.plot([0, 1], [0, 1], color=COLOURS["grey"], linewidth=0.8)
        for name, rows in series.items():
            # Bars of all three series would hide each other.
            _paint_bins(axes, rows, name, bars=name != "isotonic")

    described = "; ".join(f"{name}: {_bins_in_words(rows)}" for name, rows in series.items())
    return draw_chart(
        f"reliability-{part}",
        f"Reliability of {evidence.chosen}, {part}",
        "Observed frequency of the disease by mean predicted probability, in bins of equal width. "
        f"{described}.",
        paint,
        tuple(series),
    )


def decision(evidence: Evidence, part: str) -> Chart | None:
    """Net benefit by threshold probability (Vickers and Elkin 2006)."""
    table = _rows_of(evidence, "decision", part)
    if table is None:
        return None
    known = set(table["model"])
    wanted = ("all", "none", "scratch", "transfer", evidence.chosen)
    names = [name for name in dict.fromkeys(wanted) if name in known]
    highest = table.loc[table["model"].isin(names), "net_benefit"].max()
    top = max(highest, SMALLEST_TOP)

    def paint(axes: Axes) -> None:
        for name in names:
            rows = _thin(table[table["model"] == name])
            axes.plot(rows["threshold"], rows["net_benefit"], **STYLES[name].line())
        axes.set(xlim=(0, 1), xlabel="threshold probability")
        axes.set(ylim=(-0.25 * top, 1.08 * top), ylabel="net benefit")
        axes.grid(color=COLOURS["rule"], linewidth=0.5)

    models = [name for name in names if name not in ("all", "none")]
    described = "; ".join(_useful_range(table, name) for name in models)
    return draw_chart(
        f"decision-{part}",
        f"Decision curves, {part}",
        f"Net benefit by threshold probability. {described}.",
        paint,
        tuple(names),
    )


def _model_curves(
    evidence: Evidence,
    curve: str,
    part: str,
    columns: tuple[str, str],
    score: str,
    frame: Callable[[Axes], None],
) -> Chart | None:
    """One line per model and baseline; the widest lines, scratch and transfer, are on top."""
    table = _rows_of(evidence, curve, part)
    if table is None:
        return None
    known = set(table["model"]) & STYLES.keys()
    names = [name for name in evidence.models if name in known]
    x, y = columns

    def paint(axes: Axes) -> None:
        frame(axes)
        for name in sorted(names, key=lambda name: STYLES[name].width):
            rows = _thin(table[table["model"] == name])
            axes.plot(rows[x], rows[y], **STYLES[name].line())

    scores = []
    for name in names:
        found = score_of(evidence.models[name][part], score)
        scores.append(f"{spoken(name)} {estimate(found)}")
    kind, area = {
        "roc": ("ROC", "AUROC"),
        "precision_recall": ("Precision-recall", "Average precision"),
    }[curve]
    return draw_chart(
        f"{curve.replace('_', '-')}-{part}",
        f"{kind} curves, {part}",
        f"{kind} curves of {len(names)} models. {area} with {evidence.level} intervals: "
        f"{', '.join(scores)}.",
        paint,
        tuple(names),
    )


def _rows_of(evidence: Evidence, curve: str, part: str) -> pd.DataFrame | None:
    """The rows of a part; None if the table is missing or has no such rows."""
    table = evidence.curves.get(curve)
    if table is None:
        return None
    rows = table[table["part"] == part]
    return rows if len(rows) else None


def _reliability_series(evidence: Evidence, part: str) -> dict[str, pd.DataFrame]:
    """The bins of the chosen model by the name of the calibration."""
    table = _rows_of(evidence, "calibration", part)
    if table is None:
        return {}
    table = table[table["model"] == evidence.chosen]
    if "calibration" not in table:
        table = table.assign(calibration="none")
    series = {}
    for value, name in CALIBRATIONS.items():
        rows = table[table["calibration"] == value]
        if len(rows):
            series[name] = rows
    return series


def _paint_bins(axes: Axes, rows: pd.DataFrame, name: str, bars: bool) -> None:
    style = STYLES[name]
    x, y = rows["predicted"], rows["observed"]
    if bars and "low" in rows:
        colour = COLOURS[style.colour]
        axes.vlines(x, rows["low"], rows["high"], colour, linewidth=0.9, alpha=0.7)
    axes.plot(x, y, marker=style.marker, markersize=4.5, **style.line())


def _bins_in_words(rows: pd.DataFrame) -> str:
    pairs = zip(rows["predicted"], rows["observed"], strict=True)
    return ", ".join(f"{p:.2f} predicted, {o:.2f} observed" for p, o in pairs)


def _useful_range(table: pd.DataFrame, name: str) -> str:
    """At how many thresholds a model has a higher net benefit than treating all and none."""
    rows = table[table["model"] == name].set_index("threshold")["net_benefit"]
    simple = table[table["model"].isin(["all", "none"])]
    best_simple = simple.groupby("threshold")["net_benefit"].max().reindex(rows.index)
    above = rows.index[(rows > best_simple).to_numpy()]
    text = (
        f"{spoken(name)} is above treating all and treating none at {len(above)} of {len(rows)} "
        "thresholds"
    )
    if len(above):
        text += f", from {above.min():.2f} to {above.max():.2f}"
    return text


def _thin(rows: pd.DataFrame) -> pd.DataFrame:
    """At most MAX_POINTS rows at equal distances, with the first and the last one."""
    if len(rows) <= MAX_POINTS:
        return rows
    places = np.linspace(0, len(rows) - 1, MAX_POINTS).round().astype(int)
    return rows.iloc[np.unique(places)]
