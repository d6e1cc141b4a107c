"""Charts as inline SVG: the same bytes in every run, readable in grey, in dark mode and as text."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

SIZE = (4.2, 3.5)  # inches; the page shows a chart about 1.1 times as large
# Okabe and Ito (2008), Color Universal Design. The style sheet defines each colour for light and
# for dark pages.
COLOURS = {
    "ink": "#000000",
    "blue": "#0072b2",
    "vermillion": "#d55e00",
    "green": "#009e73",
    "purple": "#cc79a7",
    "grey": "#767676",
    "rule": "#d0d0d0",
}
SETTINGS = {
    "axes.edgecolor": COLOURS["grey"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9.5,
    "lines.linewidth": 1.4,
    "path.simplify": True,
    "svg.fonttype": "none",
    "text.color": COLOURS["ink"],
    "text.parse_math": False,  # a class may be called $x$
    "xtick.color": COLOURS["grey"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.color": COLOURS["grey"],
    "ytick.labelcolor": COLOURS["ink"],
}
LETTER = 0.027  # width of a letter of a label, as a share of the x axis; fonts differ
DASHED = (0, (4, 3))  # a line style of matplotlib: offset, lengths in line widths
UNUSED_MARKUP = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", re.DOTALL)


@dataclass(frozen=True)
class Style:
    """How one model is drawn; models differ in colour, in dashes and in marker."""

    colour: str
    dashes: tuple[float, ...]  # lengths of dash and gap in line widths; empty for a solid line
    marker: str
    width: float = 1.4  # points

    def line(self) -> dict[str, Any]:
        """The style of the line as arguments of matplotlib."""
        return {
            "color": COLOURS[self.colour],
            "linestyle": (0, self.dashes) if self.dashes else "solid",
            "linewidth": self.width,
        }


STYLES = {
    "scratch": Style("ink", (4, 2), "o", 1.8),
    "transfer": Style("blue", (), "s", 2.2),
    "regularized": Style("green", (6, 1.5, 1, 1.5), "^"),
    "bagging": Style("purple", (1.5, 1), "D"),
    "boosting": Style("vermillion", (8, 2), "v"),
    "l2-sp": Style("blue", (), "s", 2.2),
    "frozen": Style("vermillion", (6, 1.5, 1, 1.5), "^"),
    "lp-ft": Style("green", (8, 2), "v"),
    "wise-ft": Style("purple", (1.5, 1), "D"),
    "delta": Style("green", (5, 1, 1, 1, 1, 1), "+"),
    "source": Style("grey", (6, 2), "*"),
    "size_alone": Style("grey", (1, 1.5), "x", 1.2),
    "covariates_only": Style("grey", (5, 1, 1, 1, 1, 1), "+", 1.2),
    "all": Style("grey", (6, 2), "x", 1.2),
    "none": Style("grey", (), "+", 1.2),
    "uncalibrated": Style("ink", (4, 2), "o"),
    "temperature": Style("blue", (), "s"),
    "isotonic": Style("vermillion", (6, 1.5, 1, 1.5), "^"),
}


@dataclass(frozen=True)
class Chart:
    """A drawing with its title and its content in words."""

    name: str  # prefix of its element ids: letters, digits and dashes
    title: str
    alt: str
    svg: Markup
    legend: tuple[str, ...] = ()  # the STYLES that it shows


def draw_chart(
    name: str,
    title: str,
    alt: str,
    paint: Callable[[Axes], None],
    legend: tuple[str, ...] = (),
    size: tuple[float, float] = SIZE,
) -> Chart:
    """Let `paint` draw on axes and return the drawing as SVG with its title and its text."""
    settings: dict[Any, Any] = {**SETTINGS, "svg.hashsalt": name}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return Chart(name, title, alt, _inline(written.getvalue(), name, title, alt), legend)


def line_sample(name: str) -> Markup:
    """A short piece of a model's line for the legend."""
    style = STYLES[name]
    dashes = " ".join(f"{length * style.width:g}" for length in style.dashes) or "none"
    return Markup(
        '<svg class="sample" viewBox="0 0 34 10" aria-hidden="true">'
        '<line x1="1" x2="33" y1="5" y2="5" style="stroke: var(--{colour}); '
        'stroke-width: {width}; stroke-dasharray: {dashes}"/></svg>'
    ).format(colour=style.colour, width=f"{style.width:g}", dashes=dashes)


def set_unit_square(axes: Axes, x_label: str, y_label: str) -> None:
    """Let both axes run from 0 to 1."""
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set(xlim=(-0.02, 1.02), xlabel=x_label, xticks=ticks)
    axes.set(ylim=(-0.02, 1.02), ylabel=y_label, yticks=ticks)
    axes.grid(color=COLOURS["rule"], linewidth=0.5)
    axes.set_axisbelow(True)


def label_positions(axes: Axes, positions: Sequence[float], labels: Sequence[str]) -> None:
    """Put a tick at each position of the x axis, and a label unless the next one is too near.

    Call this when everything is drawn, because the limits of the axis decide.
    """
    axes.get_xlim()  # applies the limits of what was drawn
    points = [axes.transData.transform((position, 1.0))[0] for position in positions]
    left, right = axes.transAxes.transform([(0, 0), (1, 0)])[:, 0]
    nearest = right + (right - left)
    shown = []
    for point, label in sorted(zip(points, labels, strict=True), reverse=True):
        half = len(label) * LETTER / 2 * (right - left)
        fits = point + half <= nearest
        shown.append(label if fits else "")
        if fits:
            nearest = point - half - LETTER * (right - left)
    axes.set_xticks(sorted(positions), shown[::-1])


def plot_estimates(
    axes: Axes,
    x: Sequence[float],
    estimates: Sequence[Mapping[str, float]],
    style: Style,
    bar_width: float = 1.2,
) -> None:
    """Draw a line through the values and a vertical bar for each interval.

    Args:
        axes: where to draw.
        x: one position per estimate.
        estimates: `value`, `low` and `high`, all of them defined.
        style: of the line and the markers.
        bar_width: of the bars, in points.
    """
    lows = [found["low"] for found in estimates]
    highs = [found["high"] for found in estimates]
    values = [found["value"] for found in estimates]
    axes.vlines(x, lows, highs, COLOURS[style.colour], linewidth=bar_width)
    axes.plot(x, values, marker=style.marker, markersize=5, **style.line())
    axes.grid(axis="y", color=COLOURS["rule"], linewidth=0.5)


def _inline(svg: str, name: str, title: str, alt: str) -> Markup:
    """Reduce the SVG file of matplotlib to an element that uses the page's colours and font."""
    view = svg.partition('viewBox="')[2].partition('"')[0]
    body = svg[svg.index(">", svg.index("<svg ")) + 1 :]
    body = UNUSED_MARKUP.sub("", body)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    for colour, code in COLOURS.items():
        body = body.replace(code, f"var(--{colour})")
    body = re.sub(r"\n\s*", "\n", body)
    head = Markup(
        '<svg class="chart" role="img" aria-labelledby="{name}-title {name}-text" '
        'viewBox="{view}"><title id="{name}-title">{title}</title>'
        '<desc id="{name}-text">{alt}</desc>'
    ).format(name=name, view=view, title=escape(title), alt=escape(alt))
    return head + Markup(body)
