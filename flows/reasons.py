"""Why a lesion has no prediction, in words that may be published.

What graft says of a lesion may quote a cell, such as a name in the wrong column.
"""

MEMORY = "does not fit in memory"
FORMAT = ("image", "mask", "x", "y", "z", "frame", "series", "segment", "diameter_mm", "covariates")


def public_reason(reason: str) -> str:
    """Return what graft objects to, without anything that the source contains."""
    if MEMORY in reason:
        return MEMORY
    what = reason.partition(" ")[0].removesuffix(":")
    return f"{what}: cannot be used" if what in FORMAT else "cannot be used"
