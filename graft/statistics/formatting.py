"""Estimates as text."""

from collections.abc import Mapping


def format_estimate(
    estimate: Mapping[str, float | None] | None,
    sign: str = "",
    missing: str = "not defined",
) -> str:
    """Format a value with its interval, such as "0.744 [0.612, 0.867]".

    Args:
        estimate: `value`, `low` and `high`; None if there is no estimate.
        sign: "+" writes the sign of positive numbers too, which suits differences.
        missing: the text if the estimate or one of its numbers is None.
    """
    if estimate is None:
        return missing
    value = estimate["value"]
    low = estimate["low"]
    high = estimate["high"]
    if value is None or low is None or high is None:
        return missing
    number = f"{sign}.3f"
    return f"{value:{number}} [{low:{number}}, {high:{number}}]"


def signed_estimate(estimate: Mapping[str, float | None] | None) -> str:
    """Format a difference with its interval, such as "-0.050 [-0.120, +0.030]"."""
    return format_estimate(estimate, "+")
