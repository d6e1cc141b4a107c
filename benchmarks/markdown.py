"""Tables in Markdown."""

from collections.abc import Iterator


def markdown_row(*cells: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def markdown_head(*columns: str) -> Iterator[str]:
    """Yield the head of a table."""
    yield markdown_row(*columns)
    yield markdown_row(*["---"] * len(columns))
