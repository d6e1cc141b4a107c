"""One figure of graft beside the same figure of what a user would use instead.

A benchmark reports each comparison. It is printed, and `make bench` collects it for the table in
docs/benchmarks.md. An aim that is missed is reported like one that is met: it is no error.
"""

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from graft.console import say

COLLECTED_IN = "GRAFT_COMPARISONS"  # environment variable: the file that comparisons are added to


@dataclass(frozen=True)
class Comparison:
    """What graft and its peer cost or reach for the same work, measured in one run.

    Attributes:
        what: what is measured, such as "epoch of 500 lesions".
        unit: of both figures, such as "s", "GB" or "samples/s".
        graft: graft's figure; None if it was not measured, and `note` says why.
        peer: what is used instead of graft, such as "MONAI CacheDataset".
        of_peer: the peer's figure, or None.
        more_is_better: whether a larger figure is better, as for samples per second.
        least_ratio: the aim for `ratio`, if there is one.
        bound: the aim for graft's figure: the most it may be, or the least if more is better.
        note: what a reader has to know, such as "not run: needs a GPU".
    """

    what: str
    unit: str
    graft: float | None
    peer: str
    of_peer: float | None
    more_is_better: bool = False
    least_ratio: float | None = None
    bound: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for figure in (self.graft, self.of_peer, self.least_ratio, self.bound):
            if figure is not None and (not math.isfinite(figure) or figure < 0):
                raise ValueError(
                    f"{self.what}: is {figure}, expected a finite figure of at least 0"
                )

    @property
    def ratio(self) -> float | None:
        """How many times as good as the peer graft is: as fast, as small, or as exact."""
        if self.graft is None or self.of_peer is None:
            return None
        above, below = self.of_peer, self.graft
        if self.more_is_better:
            above, below = below, above
        return above / below if below else None

    @property
    def aims(self) -> dict[str, bool | None]:
        """Each aim in words, and whether it is met; None if it was not measured."""
        found: dict[str, bool | None] = {}
        if self.least_ratio is not None:
            title = f"ratio at least {format_figure(self.least_ratio)}"
            found[title] = None if self.ratio is None else self.ratio >= self.least_ratio
        if self.bound is not None:
            limit = "at least" if self.more_is_better else "at most"
            title = f"{limit} {format_figure(self.bound)} {self.unit}".rstrip()
            found[title] = None if self.graft is None else self._is_within(self.graft, self.bound)
        return found

    def _is_within(self, figure: float, bound: float) -> bool:
        return figure >= bound if self.more_is_better else figure <= bound


def report(comparison: Comparison) -> None:
    """Print a comparison, and add it to the file that COLLECTED_IN names, as a line of JSON."""
    say(describe(comparison))
    collected = os.environ.get(COLLECTED_IN)
    if collected:
        with Path(collected).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(comparison), allow_nan=False) + "\n")


def read_collected(path: Path) -> list[Comparison]:
    """Return the comparisons that `report` added to a file, in their order."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Comparison(**json.loads(line)) for line in lines]


def describe(comparison: Comparison) -> str:
    """Return a comparison as one line."""
    figures = []
    for name, figure in (("graft", comparison.graft), (comparison.peer, comparison.of_peer)):
        if figure is not None:
            figures.append(f"{name} {format_figure(figure)} {comparison.unit}".rstrip())
    parts = [", ".join(figures)] if figures else []
    if comparison.ratio is not None:
        parts.append(f"ratio {format_figure(comparison.ratio)}")
    parts += format_aims(comparison)
    if comparison.note:
        parts.append(comparison.note)
    return f"{comparison.what}: {'; '.join(parts)}"


def format_aims(comparison: Comparison) -> list[str]:
    """Return each aim with "met", "missed" or "not measured"."""
    verdicts = {True: "met", False: "missed", None: "not measured"}
    return [f"aim {aim}: {verdicts[is_met]}" for aim, is_met in comparison.aims.items()]


def format_figure(figure: float) -> str:
    """Return a figure with three significant digits, and larger ones as whole numbers."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
