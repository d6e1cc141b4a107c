"""The model card (README.md) of a model folder, as Markdown and as safe HTML."""

import re
from pathlib import Path

from graft.common.files import InputError, check_regular_file

README = "README.md"
METADATA = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)  # of Hugging Face, for machines
MOST_BYTES = 1 << 20


def read_model_card(folder: Path) -> dict[str, str] | None:
    """The model card as `markdown` and `html`; None for an older folder without one.

    HTML in the Markdown is shown as text, and pictures and links of other sites are not loaded by
    the page, whose policy forbids it.

    Raises:
        InputError: if it cannot be read.
    """
    from markdown_it import MarkdownIt

    path = folder / README
    if not path.exists():
        return None
    check_regular_file(path)
    try:
        text = path.read_bytes()[:MOST_BYTES].decode()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return {"markdown": text, "html": parser.render(METADATA.sub("", text))}
