"""The picture of how time and memory of each stage grow with the number of lesions."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.growth_fit import Growth
from graft.common.files import whole_file

SIZE_INCHES = (12.0, 6.4)
DOTS_PER_INCH = 100
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d1f", "#56b4e9", "#555555")
DASHES = ("solid", (0, (4, 1.5)))  # the second half of the stages is dashed
LABEL_GAP = 0.034  # between two labels, as a share of the height of a panel
LABEL_PLACE = 1.06  # of the labels, as a share of the width of a panel

Points = Mapping[str, Sequence[tuple[float, float]]]  # stage -> (lesions, cost), in rising order
Fits = Mapping[str, Growth | None]


def draw_growth(path: Path, panels: Mapping[str, tuple[Points, Fits]], title: str) -> None:
    """Draw a panel for each quantity as a PNG file.

    Args:
        path: the file.
        panels: by the title of its axis, the measured costs and the fitted curves of each stage.
        title: of the picture.
    """
    with plt.rc_context({"font.size": 9}):
        figure, axes = plt.subplots(1, len(panels), figsize=SIZE_INCHES, squeeze=False)
        for axis, (name, (points, fits)) in zip(axes[0], panels.items(), strict=True):
            draw_panel(axis, name, points, fits)
        figure.suptitle(title, fontsize=10)
        figure.tight_layout(w_pad=3)
        with whole_file(path) as partial:
            figure.savefig(partial, format="png", dpi=DOTS_PER_INCH)
        plt.close(figure)


def draw_panel(axis: Axes, name: str, points: Points, fits: Fits) -> None:
    """Draw the costs of each stage as markers and its fitted curve as a line."""
    axis.set(xscale="log", yscale="log", xlabel="lesions", title=name)
    ends = {}
    colours = {}
    for number, (stage, measured) in enumerate(points.items()):
        lesions, costs = np.array(measured, float).T
        colours[stage] = COLOURS[number % len(COLOURS)]
        dashes = DASHES[number // len(COLOURS) % len(DASHES)]
        growth = fits[stage]
        places = np.geomspace(lesions[0], lesions[-1], 60) if growth else lesions
        curve = growth.cost(places) if growth else costs
        axis.plot(places, curve, color=colours[stage], linestyle=dashes, linewidth=1.3)
        axis.plot(lesions, costs, "o", color=colours[stage], markersize=3)
        ends[stage] = curve[-1]
    _set_limits(axis, points)
    _draw_references(axis)
    _label_ends(axis, ends, colours, fits)


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Move places in [0, 1], in rising order, until they are `gap` apart.

    The mean of the places when only moved upwards and when only moved downwards keeps the gap, and
    keeps groups in their middle.
    """
    upwards: list[float] = []
    for place in places:
        upwards.append(max(place, upwards[-1] + gap) if upwards else place)
    downwards: list[float] = []
    for place in reversed(places):
        downwards.append(min(place, downwards[-1] - gap) if downwards else place)
    return [(up + down) / 2 for up, down in zip(upwards, reversed(downwards), strict=True)]


def _set_limits(axis: Axes, points: Points) -> None:
    measured = np.concatenate([np.array(stage, float) for stage in points.values()])
    (fewest, cheapest), (most, dearest) = measured.min(0), measured.max(0)
    axis.set_xlim(fewest / 1.15, most * 1.15)
    axis.set_ylim(cheapest / 1.6, dearest * 1.6)
    lesions = sorted(set(measured[:, 0]))
    axis.set_xticks(lesions, [f"{number:,.0f}" for number in lesions])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:,g}"))
    axis.grid(visible=True, color="#dddddd", linewidth=0.6)
    axis.spines[["top", "right"]].set_visible(False)


def _draw_references(axis: Axes) -> None:
    """Draw slopes of 1 and 2 that end in the upper corner on the right, within the panel."""
    left, right = axis.get_xlim()
    low, high = axis.get_ylim()
    for slope in (1, 2):
        start = max(left, right * (low / high) ** (1 / slope))
        lesions = np.array([start, right])
        costs = high * (lesions / right) ** slope
        axis.plot(lesions, costs, color="#999999", linestyle="dotted", linewidth=1.1, zorder=1)
        axis.annotate(
            f"slope {slope}",
            (lesions[0], costs[0]),
            xytext=(4, 4),
            textcoords="offset points",
            color="#777777",
        )


def _label_ends(
    axis: Axes, ends: Mapping[str, float], colours: Mapping[str, str], fits: Fits
) -> None:
    """Write the name and the exponent of each stage beside the end of its curve."""
    low, high = (math.log(limit) for limit in axis.get_ylim())
    order = sorted(ends, key=lambda stage: ends[stage])
    places = [(math.log(ends[stage]) - low) / (high - low) for stage in order]
    for stage, place in zip(order, spread(places, LABEL_GAP), strict=True):
        growth = fits[stage]
        exponent = f"  {growth.exponent:.2f}" if growth else ""
        axis.annotate(
            f"{stage}{exponent}",
            (axis.get_xlim()[1] / 1.15, ends[stage]),
            xytext=(LABEL_PLACE, place),
            textcoords="axes fraction",
            va="center",
            color=colours[stage],
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colours[stage],
                "linewidth": 0.5,
                "relpos": (0, 0.5),
            },
        )
