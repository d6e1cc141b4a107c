"""ROC, precision-recall, reliability and decision curves, from the tables that evaluate left."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from graft.report.charts import COLOURS, STYLES, Chart, draw, unit_square
from graft.report.evidence import Evidence
from graft.report.numbers import estimate, spoken

MOST_POINTS = 300  # of a curve: more are not seen, and make the page heavy
CALIBRATIONS = {"none": "before", "temperature": "temperature", "isotonic": "isotonic"}


def roc(evidence: Evidence, part: str) -> Chart | None:
    """Sensitivity over the share of false alarms."""

    def frame(axes: Axes) -> None:
        unit_square(axes, "false positive rate", "sensitivity")
        axes.plot([0, 1], [0, 1], color=COLOURS["grey"], linewidth=0.8)

    return _curves(evidence, "roc", part, ("fpr", "tpr"), "auroc", "AUROC", frame)


def precision_recall(evidence: Evidence, part: str) -> Chart | None:
    """Precision over sensitivity."""
    disease = (evidence.cases(evidence.chosen, part)["label"] == evidence.classes[-1]).mean()

    def frame(axes: Axes) -> None:
        unit_square(axes, "sensitivity (recall)", "precision")
        axes.axhline(disease, color=COLOURS["grey"], linewidth=0.8)

    return _curves(
        evidence,
        "precision_recall",
        part,
        ("recall", "precision"),
        "auprc",
        "average precision",
        frame,
    )


def reliability(evidence: Evidence, part: str) -> Chart | None:
    """Observed share of the disease over the probability that the chosen model gave, before and after calibration."""
    table = evidence.curves.get("calibration")
    if table is None:
        return None
    table = table[(table["part"] == part) & (table["model"] == evidence.chosen)]
    if "calibration" not in table:
        table = table.assign(calibration="none")
    series = {new: table[table["calibration"] == old] for old, new in CALIBRATIONS.items()}
    series = {name: rows for name, rows in series.items() if len(rows)}
    if not series:
        return None

    def paint(axes: Axes) -> None:
        unit_square(axes, "mean predicted probability", "observed share of the disease")
        axes.plot([0, 1], [0, 1], color=COLOURS["grey"], linewidth=0.8)
        for name, rows in series.items():
            style = STYLES[name]
            if "low" in rows and name != "isotonic":  # three sets of bars would hide each other
                ends = rows["low"], rows["high"]
                axes.vlines(
                    rows["predicted"], *ends, COLOURS[style.colour], linewidth=0.9, alpha=0.7
                )
            axes.plot(
                rows["predicted"],
                rows["observed"],
                marker=style.marker,
                markersize=4.5,
                **style.line(),
            )

    said = "; ".join(
        f"{name}: {', '.join(f'{p:.2f} predicted, {o:.2f} observed' for p, o in zip(r['predicted'], r['observed']))}"
        for name, r in series.items()
    )
    return draw(
        f"reliability-{part}",
        f"Reliability of {evidence.chosen}, {part}",
        f"Observed share of the disease over mean predicted probability, by bins of equal width. {said}.",
        paint,
        tuple(series),
    )


def decision(evidence: Evidence, part: str) -> Chart | None:
    """Net benefit over the threshold probability (Vickers and Elkin 2006)."""
    table = evidence.curves.get("decision")
    if table is None or not len(table := table[table["part"] == part]):
        return None
    names = [
        name
        for name in ("all", "none", "scratch", "transfer", evidence.chosen)
        if name in set(table["model"])
    ]
    names = list(dict.fromkeys(names))
    top = max(table.loc[table["model"].isin(names), "net_benefit"].max(), 0.05)

    def paint(axes: Axes) -> None:
        for name in names:
            rows = _thin(table[table["model"] == name])
            axes.plot(rows["threshold"], rows["net_benefit"], **STYLES[name].line())
        axes.set(
            xlim=(0, 1),
            ylim=(-0.25 * top, 1.08 * top),
            xlabel="threshold probability",
            ylabel="net benefit",
        )
        axes.grid(color=COLOURS["rule"], linewidth=0.5)

    said = []
    for name in names[2:]:
        rows = table[table["model"] == name].set_index("threshold")["net_benefit"]
        rivals = (
            table[table["model"].isin(["all", "none"])].groupby("threshold")["net_benefit"].max()
        )
        above = rows.index[(rows > rivals.reindex(rows.index)).to_numpy()]
        where = f", from {above.min():.2f} to {above.max():.2f}" if len(above) else ""
        count = f"{len(above)} of {len(rows)} thresholds{where}"
        said.append(f"{spoken(name)} lies above treating all and treating none at {count}")
    return draw(
        f"decision-{part}",
        f"Decision curves, {part}",
        f"Net benefit over the threshold probability. {'; '.join(said)}.",
        paint,
        tuple(names),
    )


def _curves(
    evidence: Evidence,
    curve: str,
    part: str,
    axis: tuple[str, str],
    score: str,
    title: str,
    frame: object,
) -> Chart | None:
    """A line for each model and baseline, the best known ones on top."""
    table = evidence.curves.get(curve)
    if table is None or not len(table := table[table["part"] == part]):
        return None
    models = evidence.metrics["models"] | evidence.metrics["baselines"]
    names = [name for name in models if name in set(table["model"]) and name in STYLES]
    x, y = axis

    def paint(axes: Axes) -> None:
        frame(axes)
        for name in sorted(names, key=lambda name: STYLES[name].width):
            rows = _thin(table[table["model"] == name])
            axes.plot(rows[x], rows[y], **STYLES[name].line())

    found = ", ".join(
        f"{spoken(name)} {estimate((models[name][part] or {}).get(score))}" for name in names
    )
    kind = "ROC" if curve == "roc" else "Precision-recall"
    return draw(
        f"{curve.replace('_', '-')}-{part}",
        f"{kind} curves, {part}",
        f"{kind} curves of {len(names)} models. {title} with {evidence.level} intervals: {found}.",
        paint,
        tuple(names),
    )


def _thin(rows: pd.DataFrame) -> pd.DataFrame:
    if len(rows) <= MOST_POINTS:
        return rows
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, MOST_POINTS).round().astype(int))]
