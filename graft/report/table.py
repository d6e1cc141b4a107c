"""A table of the report: what it shows, its columns and its rows."""

import re
from dataclasses import dataclass

NUMERIC = re.compile(
    r"[<+−\d][^a-z]*((to|of) [^a-z]*)?", re.IGNORECASE
)  # cells that are set flush right


@dataclass(frozen=True)
class Cell:
    """A cell that wants attention: a gap that is flagged, a verdict."""

    text: str
    mark: str = ""  # class of the style sheet

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Table:
    """The first cell of each row is its heading. `caption` says what is seen."""

    caption: str
    columns: list[str]
    rows: list[list[str | Cell]]
    wide: bool = False  # more than the column of text holds

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(
                f"{self.caption}: a row has another number of cells than the {len(self.columns)} columns"
            )

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers, so that they stand below each other."""
        return column > 0 and any(NUMERIC.fullmatch(str(row[column])) for row in self.rows)

    def kind(self, column: int, cell: str | Cell) -> str | None:
        """The classes of the style sheet for a cell."""
        marks = "n" if self.numeric(column) else "", cell.mark if isinstance(cell, Cell) else ""
        return " ".join(filter(None, marks)) or None
