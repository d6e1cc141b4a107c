"""The gains, the learning curve and the corruption sweep as charts."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from graft.report.charts import COLOURS, SIZE, STYLES, Chart, draw
from graft.report.evidence import Evidence, auroc_of
from graft.report.numbers import difference, estimate, number, spoken
from graft.report.words import says

ARMS = ("scratch", "frozen", "transfer")


def gains(evidence: Evidence, part: str) -> Chart | None:
    """Each model's gain over scratch with its interval, beside 0 and the margin."""
    found = {
        name: parts[part]
        for name, parts in evidence.metrics["transfer_gain"].items()
        if parts[part]
    }
    found = {name: gain for name, gain in found.items() if _whole(gain)}
    if not found:
        return None
    allowed = evidence.block("margin")

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=COLOURS["ink"], linewidth=0.9)
        if allowed is not None:
            axes.axvline(-allowed, color=COLOURS["grey"], linewidth=0.9, linestyle=(0, (4, 3)))
        for row, (name, gain) in enumerate(found.items()):
            style = STYLES[name]
            axes.hlines(row, gain["low"], gain["high"], COLOURS[style.colour], linewidth=1.8)
            axes.plot(
                gain["value"], row, marker=style.marker, markersize=6, color=COLOURS[style.colour]
            )
        axes.set(ylim=(len(found) - 0.4, -0.6), xlabel="AUROC less that of scratch")
        axes.set_yticks(range(len(found)), list(found))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=COLOURS["rule"], linewidth=0.5)

    said = "; ".join(f"{name} {difference(gain)}, {says(gain)}" for name, gain in found.items())
    return draw(
        f"gains-{part}",
        f"Gain over scratch, {part}",
        f"Gain in AUROC over learning from scratch, with {evidence.level} intervals. {said}.",
        paint,
        size=(SIZE[0], 2.3),
    )


def learning_curve(evidence: Evidence, block: Mapping) -> Chart | None:
    """AUROC on the test part over the number of labelled patients, one line an arm."""
    points = block["points"]
    arms = [arm for arm in ARMS if any(_whole(auroc_of(point, arm)) for point in points)]
    if not arms:
        return None

    def paint(axes: Axes) -> None:
        for shift, arm in enumerate(arms):
            known = [point for point in points if _whole(auroc_of(point, arm))]
            x = [point["patients"] * (1 + 0.02 * (shift - 1)) for point in known]  # side by side
            bars = [auroc_of(point, arm) for point in known]
            style = STYLES[arm]
            axes.vlines(
                x,
                [b["low"] for b in bars],
                [b["high"] for b in bars],
                COLOURS[style.colour],
                linewidth=0.9,
            )
            axes.plot(
                x, [b["value"] for b in bars], marker=style.marker, markersize=5, **style.line()
            )
        axes.axhline(0.5, color=COLOURS["grey"], linewidth=0.8)
        axes.set(xscale="log", xlabel="labelled patients (logarithmic)", ylabel="AUROC, test")
        axes.set_xticks(
            [point["patients"] for point in points],
            [f"{point['patients']:.0f}" for point in points],
        )
        axes.minorticks_off()
        axes.grid(axis="y", color=COLOURS["rule"], linewidth=0.5)

    said = "; ".join(
        f"{point['patients']:.0f} patients: "
        + ", ".join(f"{arm} {estimate(auroc_of(point, arm))}" for arm in arms)
        for point in points
    )
    return draw(
        "learning-curve",
        "AUROC by labelled patients",
        f"AUROC on the test part with {evidence.level} intervals. {said}.",
        paint,
        tuple(arms),
    )


def learning_gain(evidence: Evidence, block: Mapping) -> Chart | None:
    """The gain of transfer over the number of labelled patients."""
    known = [point for point in block["points"] if _whole(point["gain"].get("transfer"))]
    if not known:
        return None

    def paint(axes: Axes) -> None:
        x, gain = (
            [point["patients"] for point in known],
            [point["gain"]["transfer"] for point in known],
        )
        style = STYLES["transfer"]
        axes.axhline(0, color=COLOURS["ink"], linewidth=0.9)
        axes.vlines(
            x,
            [g["low"] for g in gain],
            [g["high"] for g in gain],
            COLOURS[style.colour],
            linewidth=1.2,
        )
        axes.plot(x, [g["value"] for g in gain], marker=style.marker, markersize=5, **style.line())
        axes.set(
            xscale="log",
            xlabel="labelled patients (logarithmic)",
            ylabel="gain of transfer over scratch",
        )
        axes.set_xticks(x, [f"{value:.0f}" for value in x])
        axes.minorticks_off()
        axes.grid(axis="y", color=COLOURS["rule"], linewidth=0.5)

    said = "; ".join(
        f"{point['patients']:.0f} patients: {difference(point['gain']['transfer'])}, {point['verdict']}"
        for point in known
    )
    return draw(
        "learning-gain",
        "Gain of transfer by labelled patients",
        f"AUROC of transfer less that of scratch, with {evidence.level} intervals. {said}.",
        paint,
    )


def robustness(evidence: Evidence) -> list[Chart]:
    """One small chart a corruption: AUROC over its amount."""
    rows = [row for row in (evidence.robustness or {"rows": []})["rows"] if _whole(row["auroc"])]
    charts = []
    for name in dict.fromkeys(row["corruption"] for row in rows):
        these = [row for row in rows if row["corruption"] == name]
        charts.append(_sweep(evidence, name, these))
    return charts


def _sweep(evidence: Evidence, name: str, rows: list[Mapping]) -> Chart:
    clean = evidence.robustness["auroc"]
    unit = rows[0]["unit"]

    def paint(axes: Axes) -> None:
        x, bars = [row["amount"] for row in rows], [row["auroc"] for row in rows]
        if clean["value"] is not None:
            axes.axhline(clean["value"], color=COLOURS["grey"], linewidth=1, linestyle=(0, (4, 3)))
        axes.vlines(
            x, [b["low"] for b in bars], [b["high"] for b in bars], COLOURS["blue"], linewidth=1.2
        )
        axes.plot(
            x, [b["value"] for b in bars], marker="s", markersize=5, **STYLES["transfer"].line()
        )
        lowest = min(0.5, *(bar["low"] for bar in bars)) - 0.05
        axes.set(ylim=(lowest, 1.02), xlabel=f"amount, {unit}", ylabel="AUROC")
        axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.grid(axis="y", color=COLOURS["rule"], linewidth=0.5)

    said = "; ".join(f"{row['amount']:g}: {estimate(row['auroc'])}" for row in rows)
    slug = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)
    return draw(
        f"robustness-{slug}",
        f"{spoken(name).capitalize()}",
        f"AUROC of {evidence.robustness['model']} under {spoken(name)}, amount in {unit}. Clean images: "
        f"{number(clean['value'])}. {said}.",
        paint,
        size=(SIZE[0], 2.6),
    )


def _whole(found: Mapping | None) -> bool:
    return bool(found) and None not in (found["value"], found["low"], found["high"])
