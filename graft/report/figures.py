"""Charts of the gains, the learning curve and the corrupted images."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from graft.charts.numbers import difference, estimate, has_interval, number, spoken
from graft.charts.svg import (
    COLOURS,
    DASHED,
    SIZE,
    STYLES,
    Chart,
    draw_chart,
    label_positions,
    plot_estimates,
)
from graft.evidence.evidence import Block, Evidence, auroc_of_arm
from graft.report.labels import labelled
from graft.statistics.verdict import number_of_labels, verdict

ARM_SHIFT = 0.02  # share of x by which the arms are moved apart, so that bars do not overlap
GAINS_HEIGHT = 2.3  # inches
SWEEP_HEIGHT = 2.6  # inches
MAX_GAIN_TICKS = 5  # intervals between labels, of which more overlap in wide fonts
ROUND_STEPS = [1, 2, 5, 10]  # between labels, times a power of ten


def gains(evidence: Evidence, part: str) -> Chart | None:
    """Each model's gain over scratch with its interval, next to 0 and the margin."""
    found = {}
    for name, parts in evidence.metrics["transfer_gain"].items():
        if has_interval(parts[part]):
            found[name] = parts[part]
    if not found:
        return None
    margin = evidence.block("margin")

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=COLOURS["ink"], linewidth=0.9)
        if margin is not None:
            axes.axvline(-margin, color=COLOURS["grey"], linewidth=0.9, linestyle=DASHED)
        for row, (name, gain) in enumerate(found.items()):
            _paint_gain(axes, row, name, gain)
        axes.set(ylim=(len(found) - 0.4, -0.6), xlabel="AUROC minus AUROC of scratch")
        axes.set_yticks(range(len(found)), list(found))
        axes.xaxis.set_major_locator(MaxNLocator(MAX_GAIN_TICKS, steps=ROUND_STEPS))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=COLOURS["rule"], linewidth=0.5)

    described = []
    for name, gain in found.items():
        described.append(f"{name} {difference(gain)}, {verdict(gain)}")
    return draw_chart(
        f"gains-{part}",
        f"Gain over scratch, {part}",
        f"Gain in AUROC over training from scratch, with {evidence.level} intervals. "
        f"{'; '.join(described)}.",
        paint,
        size=(SIZE[0], GAINS_HEIGHT),
    )


def learning_curve(evidence: Evidence, block: Block) -> Chart | None:
    """AUROC on the test part by number of labels, one line per arm."""

    def find(point: Block, arm: str) -> Block | None:
        return auroc_of_arm(point, arm)

    described = []
    for point in block["points"]:
        arms = ", ".join(f"{arm} {estimate(find(point, arm))}" for arm in point["arms"])
        described.append(f"{labelled(point)}: {arms}")
    return _by_labels(
        evidence,
        block["points"],
        find,
        "learning-curve",
        f"AUROC by number of labelled {evidence.unit}s",
        "AUROC, test",
        f"AUROC on the test part with {evidence.level} intervals. {'; '.join(described)}.",
        level=0.5,
    )


def learning_gain(evidence: Evidence, block: Block) -> Chart | None:
    """The gain over scratch by number of labels, one line per arm."""

    def find(point: Block, arm: str) -> Block | None:
        return point["gain"].get(arm)

    described = []
    for point in block["points"]:
        gains = []
        for arm, gain in point["gain"].items():
            gains.append(f"{arm} {difference(gain)}, {gain['verdict']}")
        described.append(f"{labelled(point)}: {', '.join(gains)}")
    return _by_labels(
        evidence,
        block["points"],
        find,
        "learning-gain",
        f"Gain over scratch by number of labelled {evidence.unit}s",
        "AUROC minus AUROC of scratch",
        f"AUROC minus AUROC of scratch, with {evidence.level} intervals. {'; '.join(described)}.",
        level=0,
    )


def robustness(evidence: Evidence) -> list[Chart]:
    """One small chart per corruption: AUROC by the amount of corruption."""
    block = evidence.robustness
    if not block:
        return []
    by_corruption: dict[str, list[Block]] = {}
    for row in block["rows"]:
        if has_interval(row["auroc"]):
            by_corruption.setdefault(row["corruption"], []).append(row)
    return [_sweep(block, name, rows) for name, rows in by_corruption.items()]


def _sweep(block: Block, name: str, rows: Sequence[Block]) -> Chart:
    clean = block["auroc"]["value"]
    unit = rows[0]["unit"]
    amount = f"share {unit}" if unit.startswith("of ") else unit  # "share of the window", "mm"
    aurocs = [row["auroc"] for row in rows]
    lowest = min(0.5, *(auroc["low"] for auroc in aurocs)) - 0.05

    def paint(axes: Axes) -> None:
        if clean is not None:
            axes.axhline(clean, color=COLOURS["grey"], linewidth=1, linestyle=DASHED)
        x = [row["amount"] for row in rows]
        plot_estimates(axes, x, aurocs, STYLES["transfer"])
        axes.set(ylim=(lowest, 1.02), xlabel=f"amount ({amount})", ylabel="AUROC")
        label_positions(axes, x, [f"{value:g}" for value in x])

    described = "; ".join(f"{row['amount']:g}: {estimate(row['auroc'])}" for row in rows)
    letters = [letter if letter.isalnum() and letter.isascii() else "-" for letter in name]
    return draw_chart(
        f"robustness-{''.join(letters)}",
        spoken(name).capitalize(),
        f"AUROC of {block['model']} under {spoken(name)}, by amount ({amount}). "
        f"Clean images: {number(clean)}. {described}.",
        paint,
        size=(SIZE[0], SWEEP_HEIGHT),
    )


def _by_labels(
    evidence: Evidence,
    points: Sequence[Block],
    find: Callable[[Block, str], Block | None],
    name: str,
    title: str,
    label: str,
    alt: str,
    level: float,
) -> Chart | None:
    """Draw a line per arm that `find` gives an interval of, over the number of labels."""
    series = {}
    for arm in points[0]["arms"]:
        known = [point for point in points if has_interval(find(point, arm))]
        if known:
            series[arm] = known
    if not series:
        return None

    def paint(axes: Axes) -> None:
        for place, (arm, known) in enumerate(series.items()):
            shift = 1 + ARM_SHIFT * (place - (len(series) - 1) / 2)
            x = [number_of_labels(point) * shift for point in known]
            found = [each for point in known if (each := find(point, arm))]
            plot_estimates(axes, x, found, STYLES[arm], bar_width=0.9)
        axes.axhline(level, color=COLOURS["grey"], linewidth=0.8)
        axes.set_ylabel(label)
        _label_axis(axes, points, evidence.unit)

    return draw_chart(name, title, alt, paint, tuple(series))


def _paint_gain(axes: Axes, row: int, name: str, gain: Block) -> None:
    style = STYLES[name]
    colour = COLOURS[style.colour]
    axes.hlines(row, gain["low"], gain["high"], colour, linewidth=1.8)
    axes.plot(gain["value"], row, marker=style.marker, markersize=6, color=colour)


def _label_axis(axes: Axes, points: Sequence[Block], unit: str) -> None:
    """A logarithmic axis of labelled patients or lesions with a tick at each point."""
    x = [number_of_labels(point) for point in points]
    axes.set(xscale="log", xlabel=f"labelled {unit}s (logarithmic)")
    label_positions(axes, x, [f"{value:.0f}" for value in x])
    axes.minorticks_off()
