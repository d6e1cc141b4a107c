"""The table of all comparisons in docs/benchmarks.md, between two markers.

Every row names the run that measured it. The runs are listed below the table, each with its date,
revision and machine, because one benchmark may be measured again without the others.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison import Comparison, format_aims, format_figure
from benchmarks.markdown import markdown_head, markdown_row
from graft.common.files import InputError, whole_file

BEGIN = "<!-- make bench writes the lines from here -->"
END = "<!-- to here -->"
COLUMNS = ("benchmark", "measured", "graft", "instead of graft", "ratio", "aim", "note", "run")
HEAD_LINES = 2
RUN = re.compile(r"(\d+)\. (.+)")  # a line of the list of runs


@dataclass(frozen=True)
class Row:
    """A line of the table: the cells of its columns but the last one, and the run in words."""

    cells: tuple[str, ...]
    run: str

    @property
    def benchmark(self) -> str:
        """The name of the benchmark."""
        return self.cells[0]


def comparison_row(benchmark: str, comparison: Comparison, run: str) -> Row:
    """Return the row of a comparison that a benchmark reported."""
    of_peer = _with_unit(comparison.of_peer, comparison.unit)
    cells = (
        benchmark,
        comparison.what,
        _with_unit(comparison.graft, comparison.unit),
        f"{comparison.peer}: {of_peer}" if of_peer else comparison.peer,
        "" if comparison.ratio is None else format_figure(comparison.ratio),
        "; ".join(format_aims(comparison)).replace("aim ", ""),
        comparison.note,
    )
    return Row(cells, run)


def note_row(benchmark: str, note: str, run: str) -> Row:
    """Return the row of a benchmark that reported nothing."""
    between = [""] * (len(COLUMNS) - 3)
    return Row((benchmark, *between, note), run)


def update_table(path: Path, benchmark: str, rows: Sequence[Row], order: Sequence[str]) -> None:
    """Replace the rows of one benchmark in a document, and keep those of the others.

    Args:
        path: the document, which appears whole.
        benchmark: the name of the benchmark.
        rows: its new rows.
        order: the names of all benchmarks in their order. Rows of others are deleted.

    Raises:
        InputError: if the document does not have each marker once, the first before the second, or
            something else than such a table between them.
    """
    before, table, after = _cut_at_markers(path)
    kept = [row for row in _parse(path, table) if row.benchmark != benchmark]
    known = [row for row in [*kept, *rows] if row.benchmark in order]
    known.sort(key=lambda row: order.index(row.benchmark))
    lines = "\n".join(_format(known))
    with whole_file(path) as partial:
        partial.write_text(f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}", encoding="utf-8")


def _cut_at_markers(path: Path) -> tuple[str, str, str]:
    text = path.read_text(encoding="utf-8")
    for marker in (BEGIN, END):
        if text.count(marker) != 1:
            raise InputError(f"{path}: has {text.count(marker)} times {marker!r}, expected it once")
    before, rest = text.split(BEGIN)
    if END not in rest:
        raise InputError(f"{path}: has {END!r} before {BEGIN!r}, expected it after that")
    table, after = rest.split(END)
    return before, table, after


def _parse(path: Path, table: str) -> Iterator[Row]:
    lines = [line for line in table.splitlines() if line]
    rows = [line for line in lines if line.startswith("|")]
    runs = dict(_parse_run(path, line) for line in lines if not line.startswith("|"))
    for line in rows[HEAD_LINES:]:
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != len(COLUMNS) or cells[-1] not in runs:
            raise InputError(
                f"{path}: has the row {line!r}, expected {len(COLUMNS)} cells, the last one with "
                f"the number of a run below the table"
            )
        yield Row(tuple(cells[:-1]), runs[cells[-1]])


def _parse_run(path: Path, line: str) -> tuple[str, str]:
    found = RUN.fullmatch(line)
    if not found:
        raise InputError(f"{path}: has the line {line!r}, expected a table and a list of its runs")
    return found[1], found[2]


def _format(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table and of the list of its runs."""
    runs = list(dict.fromkeys(row.run for row in rows))
    yield from markdown_head(*COLUMNS)
    for row in rows:
        cells = [cell.replace("|", "\\|") for cell in row.cells]
        yield markdown_row(*cells, str(runs.index(row.run) + 1))
    yield ""
    for number, run in enumerate(runs, start=1):
        yield f"{number}. {run}"


def _with_unit(figure: float | None, unit: str) -> str:
    return "" if figure is None else f"{format_figure(figure)} {unit}".rstrip()
