"""The split that came with the data, and the site that is held out."""

import pandas as pd

from graft.common.files import InputError
from graft.common.shown import counted

GIVEN = ("train", "test")  # parts that a given split must have


def given_parts(name: str, index: pd.DataFrame, external: str | None) -> pd.Series:
    """The part that the raw data gives each sample; "" if it gives none outside the external site.

    Raises:
        InputError: if the site is unknown, only some of the other samples have a part, or none is
            in train or in test.
    """
    parts = index["split"].copy()
    if external is not None:
        sites = sorted(set(index["site"]) - {""})
        if external not in sites:
            known = (
                f"one of the sites {', '.join(sites)}"
                if sites
                else "a site, but the data names none"
            )
            raise InputError(
                f"domains.{name}.split.external: got {external!r}, expected null or {known}"
            )
        parts[index["site"] == external] = "external"
    others = parts[index["site"] != external]
    without = others[others == ""]
    if 0 < len(without) < len(others):
        first = index.loc[without.index[0], "origin"]
        raise InputError(
            f"domains.{name}: {len(without)} of {counted(len(others), 'lesion')} without a "
            f"given split (the first is {first}), expected a split for all of them or for none"
        )
    for part in GIVEN:
        if not others.empty and others.iloc[0] and not (others == part).any():
            raise InputError(
                f"domains.{name}: the given split has no lesion in {part}, expected some in train "
                "and in test (without validation, a share of train becomes that part)"
            )
    return parts
