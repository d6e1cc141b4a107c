"""How the report writes numbers. What is not defined is said so, never left empty."""

from collections.abc import Mapping

ABSENT = "not defined"
LEAST_P = 0.001
SPACE = "\N{NO-BREAK SPACE}"


def number(value: float | None, digits: int = 3) -> str:
    """A plain number; integers without decimals."""
    if value is None:
        return ABSENT
    return f"{value:,}" if isinstance(value, int) else _minus(f"{value:.{digits}f}")


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, with its sign."""
    return ABSENT if value is None else _minus(f"{value:+.{digits}f}")


def estimate(found: Mapping | None, digits: int = 3) -> str:
    """`0.744 [0.612, 0.867]` of a value with its interval; the bounds are left out where they are not defined."""
    return _with_bounds(found, number, digits)


def difference(found: Mapping | None, digits: int = 3) -> str:
    """`+0.189 [+0.035, +0.346]` of a gain."""
    return _with_bounds(found, signed, digits)


def p_value(value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"< {LEAST_P}" if value < LEAST_P else f"{value:.3f}"


def percent(share: float | None, digits: int = 0) -> str:
    return ABSENT if share is None else f"{share * 100:.{digits}f}{SPACE}%"


def share(found: Mapping | None) -> str:
    """`34 % [28 %, 41 %]` of a share with its interval."""
    return _with_bounds(found, lambda value, _: percent(value), 0)


def value_of(found: Mapping | None) -> float | None:
    return found["value"] if found else None


def plural(count: int | None, one: str, many: str | None = None) -> str:
    """`1 lesion`, `62 lesions`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def spoken(name: str) -> str:
    """A key as words: `size_alone` is size alone."""
    return name.replace("_", " ")


def _with_bounds(found: Mapping | None, write: object, digits: int) -> str:
    if not found or found["value"] is None:
        return ABSENT
    if found["low"] is None or found["high"] is None:
        return write(found["value"], digits)
    low, high = write(found["low"], digits), write(found["high"], digits)
    return f"{write(found['value'], digits)} [{low},{SPACE}{high}]"


def _minus(text: str) -> str:
    if float(text) == 0:
        text = text.replace("-", "")  # -0.000 rounds to nothing
    return text.replace("-", "−")
