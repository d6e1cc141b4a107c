"""Charts as inline SVG: the same bytes on every run, readable in grey, in the dark and by a screen reader."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

SIZE = (4.2, 3.5)  # inches; shown about 1.1 times as large
# Okabe and Ito (2008), Color Universal Design. The style sheet has each again, for light and for dark pages.
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


@dataclass(frozen=True)
class Style:
    """How one model is drawn: told apart by colour, by dashes and by marker."""

    colour: str
    dashes: tuple[float, ...]  # on, off, ...; empty for a solid line
    marker: str
    width: float = 1.4

    def line(self) -> dict:
        """As arguments of matplotlib."""
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
    "frozen": Style("vermillion", (6, 1.5, 1, 1.5), "^"),
    "size_alone": Style("grey", (1, 1.5), "x", 1.2),
    "covariates_only": Style("grey", (5, 1, 1, 1, 1, 1), "+", 1.2),
    "all": Style("grey", (6, 2), "x", 1.2),
    "none": Style("grey", (), "+", 1.2),
    "before": Style("ink", (4, 2), "o"),
    "temperature": Style("blue", (), "s"),
    "isotonic": Style("vermillion", (6, 1.5, 1, 1.5), "^"),
}


@dataclass(frozen=True)
class Chart:
    """A drawing, what it is called, and what it shows in words."""

    name: str  # of its elements on the page: letters, digits and dashes
    title: str
    alt: str
    svg: Markup
    key: tuple[str, ...] = ()  # those of STYLES that are in it


def draw(
    name: str,
    title: str,
    alt: str,
    paint: Callable[[Axes], None],
    key: tuple[str, ...] = (),
    size: tuple = SIZE,
) -> Chart:
    """Let `paint` draw on axes, and keep the drawing as SVG that carries its title and its text."""
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return Chart(name, title, alt, _inline(written.getvalue(), name, title, alt), key)


def sample(name: str) -> Markup:
    """A short stretch of a model's line, for the key beside its name."""
    style = STYLES[name]
    dashes = " ".join(f"{length * style.width:g}" for length in style.dashes) or "none"
    return Markup(
        '<svg class="sample" viewBox="0 0 34 10" aria-hidden="true"><line x1="1" x2="33" y1="5" y2="5" '
        'style="stroke: var(--{colour}); stroke-width: {width}; stroke-dasharray: {dashes}"/></svg>'
    ).format(colour=style.colour, width=f"{style.width:g}", dashes=dashes)


def unit_square(axes: Axes, x: str, y: str) -> None:
    """Both axes from 0 to 1, named."""
    axes.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        xlabel=x,
        ylabel=y,
        xticks=[0, 0.25, 0.5, 0.75, 1],
        yticks=[0, 0.25, 0.5, 0.75, 1],
    )
    axes.grid(color=COLOURS["rule"], linewidth=0.5)
    axes.set_axisbelow(True)


def _inline(svg: str, name: str, title: str, alt: str) -> Markup:
    """What matplotlib wrote, without what a page has no use for, its colours taken from the style sheet."""
    view = re.search(r'viewBox="([^"]+)"', svg)[1]
    body = svg[svg.index(">", svg.index("<svg ")) + 1 :]
    body = re.sub(
        r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", body, flags=re.DOTALL
    )
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)  # the page's own type
    for colour, code in COLOURS.items():
        body = body.replace(code, f"var(--{colour})")
    body = re.sub(r"\n\s*", "\n", body)
    return Markup(
        '<svg class="chart" role="img" aria-labelledby="{name}-title {name}-text" viewBox="{view}">'
        '<title id="{name}-title">{title}</title><desc id="{name}-text">{alt}</desc>'
    ).format(name=name, view=view, title=escape(title), alt=escape(alt)) + Markup(body)
