"""Names and other text that a user chooses: what it may contain, and why.

The name of a domain is part of paths, of commands, of DVC's addresses (`preprocess@liver`) and of
its dotted keys (`domains.liver.path`). The names of classes, sites and columns are shown on pages,
in figures and in tables. No text may begin like the formula of a spreadsheet.
"""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from graft.common.files import InputError
from graft.common.shown import shown
from graft.common.tables import is_formula

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
IDENTIFIER_RULE = (
    "expected at most 64 ASCII letters, digits, _ and -, beginning with a letter or a digit"
)
# They open a tag or end a quotation (HTML, scripts), begin a formula of Matplotlib, are replaced by
# DVC, or divide the cells of a Markdown table.
UNSAFE = frozenset('<>"`$\\{}|')
LABEL_LENGTH = 100
LABEL_RULE = (
    f"expected at most {LABEL_LENGTH} printable characters without blanks around them, none of "
    f"{' '.join(sorted(UNSAFE))}, that do not begin like a formula (= + - @)"
)
TEXT_LENGTH = 1000
TEXT_RULE = (
    f"expected 1 to {TEXT_LENGTH} printable characters that do not begin like a formula (= + - @)"
)


def is_identifier(name: str) -> bool:
    """Whether a domain may have this name."""
    return bool(IDENTIFIER.fullmatch(name))


def is_label(name: str) -> bool:
    """Whether a class, a site or a column may have this name. Letters may be of any script."""
    has_safe_characters = name.isprintable() and not UNSAFE & set(name)
    has_length = 0 < len(name.strip()) == len(name) <= LABEL_LENGTH
    return has_safe_characters and has_length and not is_formula(name)


def is_text(text: str) -> bool:
    """Whether a path or a regular expression may be this text."""
    return 0 < len(text) <= TEXT_LENGTH and text.isprintable() and not is_formula(text)


def check_identifier(name: str) -> str:
    """Return the name of a domain.

    Raises:
        InputError: if no domain may have it.
    """
    if not is_identifier(name):
        raise InputError(f"domains: got {shown(name)}, {IDENTIFIER_RULE}")
    return name


def check_label(key: str, name: str) -> str:
    """Return a name that the data contains, of a class or a site.

    Raises:
        InputError: if it may not have it.
    """
    if not is_label(name):
        raise InputError(f"{key} is {shown(name)}, {LABEL_RULE}")
    return name


def _allowed_by(is_allowed: Callable[[str], bool], rule: str) -> AfterValidator:
    """A validator that refuses text for which a condition is false."""

    def check(text: str) -> str:
        if not is_allowed(text):
            raise PydanticCustomError("text", "{rule}", {"rule": rule})
        return text

    return AfterValidator(check)


Identifier = Annotated[str, _allowed_by(is_identifier, IDENTIFIER_RULE)]
Label = Annotated[str, _allowed_by(is_label, LABEL_RULE)]
LabelOrNothing = Annotated[
    str, _allowed_by(lambda text: not text or is_label(text), f"{LABEL_RULE}, or nothing")
]
Text = Annotated[str, _allowed_by(is_text, TEXT_RULE)]
