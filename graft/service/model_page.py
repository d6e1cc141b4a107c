"""The model card (README.md) of a model folder, as Markdown and as safe HTML."""

import re
from pathlib import Path

from graft.common.files import FILES, InputError, check_regular_file, read_sealed, sha256

README, FITTED = "README.md", "fitted.json"  # as in graft.release, which would import PyTorch here
METADATA = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # of Hugging Face, for machines
MOST_BYTES = 1 << 20
EDITED = "<p><strong>This card was edited after the release.</strong></p>\n"
SHIFT = 2  # levels of the headings: the page has a title and sections above them


def read_model_card(folder: Path) -> dict[str, str] | None:
    """The model card as `markdown` and `html`; None for an older folder without one.

    HTML in the Markdown is shown as text, and pictures and links of other sites are not loaded by
    the page, whose policy forbids it. The card may be edited, as model hubs do: if it is not the
    one that fitted.json names, a line above it says so.

    Raises:
        InputError: if it cannot be read, or if fitted.json was changed.
    """
    from markdown_it import MarkdownIt

    path, fitted = folder / README, folder / FITTED
    if not path.exists():
        return None
    check_regular_file(path)
    is_edited = fitted.exists() and sha256(path) != read_sealed(fitted).get(FILES, {}).get(README)
    try:
        text = path.read_bytes()[:MOST_BYTES].decode()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(METADATA.sub("", text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + SHIFT, 6)}"
    html = parser.renderer.render(tokens, parser.options, {})
    return {"markdown": text, "html": EDITED + html if is_edited else html}
