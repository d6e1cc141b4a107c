"""Numbers as text. A number that is not defined is shown as "not defined"."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from graft.statistics.formatting import format_estimate

Block = Mapping[str, Any]  # an object of a JSON document

ABSENT = "not defined"
UNKNOWN = "unknown"  # a number of patients
SMALLEST_P = 0.001  # smaller p values are shown as "< 0.001"
SPACE = "\N{NO-BREAK SPACE}"
NEGATIVE_ZERO = re.compile(r"-(0\.0+)(?!\d)")


def number(value: float | None, digits: int = 3) -> str:
    """A plain number; integers have no decimals."""
    if value is None:
        return ABSENT
    if isinstance(value, int):
        return f"{value:,}"
    return _typeset(f"{value:.{digits}f}")


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign."""
    return ABSENT if value is None else _typeset(f"{value:+.{digits}f}")


def estimate(found: Block | None) -> str:
    """A value with its interval, such as "0.744 [0.612, 0.867]"; without bounds the value alone."""
    if has_interval(found):
        return _typeset(format_estimate(found))
    return number(value_of(found))


def difference(found: Block | None) -> str:
    """A difference with its interval, such as "+0.189 [+0.035, +0.346]"."""
    if has_interval(found):
        return _typeset(format_estimate(found, sign="+"))
    return signed(value_of(found))


def p_value(value: float | None) -> str:
    """A p value with three decimals."""
    if value is None:
        return ABSENT
    return f"< {SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"


def percent(share: float | None) -> str:
    """A share as a percentage without decimals."""
    return ABSENT if share is None else f"{share * 100:.0f}{SPACE}%"


def share(found: Block | None) -> str:
    """A share with its interval, such as "34 % [28 %, 41 %]"."""
    value = percent(value_of(found))
    if has_interval(found):
        return f"{value} [{percent(found['low'])},{SPACE}{percent(found['high'])}]"
    return value


def patients_of(count: Block) -> str:
    """A number of patients for a table."""
    return UNKNOWN if count["patients"] is None else number(count["patients"])


def size(count: Block) -> str:
    """Lesions and patients in words; the lesions alone if the patients are unknown."""
    lesions = plural(count["lesions"], "lesion")
    if count["patients"] is None:
        return lesions
    return f"{lesions} of {plural(count['patients'], 'patient')}"


def value_of(found: Block | None) -> float | None:
    """The value of an estimate; None if there is no estimate."""
    return found["value"] if found else None


def has_interval(found: Block | None) -> TypeGuard[Block]:
    """Whether an estimate has a value and both bounds."""
    if not found:
        return False
    return None not in (found["value"], found.get("low"), found.get("high"))


def plural(count: int | None, noun: str) -> str:
    """A count with its noun, such as "1 lesion" or "62 lesions"."""
    return f"{number(count)} {noun if count == 1 else noun + 's'}"


def spoken(name: str) -> str:
    """A key as words: "size_alone" becomes "size alone"."""
    return name.replace("_", " ")


def _typeset(text: str) -> str:
    """Replace hyphens by minus signs, drop the sign of -0.000, and keep intervals on one line."""
    text = NEGATIVE_ZERO.sub(r"\1", text)
    return text.replace("-", "\N{MINUS SIGN}").replace(", ", f",{SPACE}")
