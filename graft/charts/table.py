"""A table: caption, columns and rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

NUMERIC = re.compile(r"[<+−\d][^a-z]*((to|of) [^a-z]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Cell:
    """A cell that is highlighted, such as a verdict or a flagged gap."""

    text: str
    mark: str = ""  # class of the style sheet

    def __str__(self) -> str:
        return self.text


Row = Sequence[str | Cell]


@dataclass(frozen=True)
class Table:
    """A caption, columns and rows; the first cell of each row is its heading."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    wide: bool = False  # whether the table is wider than a column of text

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"{self.caption}: a row has {len(row)} cells, expected {len(self.columns)}"
                )

    def numeric(self, column: int) -> bool:
        """Whether a column has numbers, which are aligned on the right."""
        if column == 0:
            return False
        return any(NUMERIC.fullmatch(str(row[column])) for row in self.rows)

    def css_class(self, column: int, cell: str | Cell) -> str | None:
        """The classes of the style sheet for a cell."""
        names = []
        if self.numeric(column):
            names.append("n")
        if isinstance(cell, Cell) and cell.mark:
            names.append(cell.mark)
        return " ".join(names) or None
