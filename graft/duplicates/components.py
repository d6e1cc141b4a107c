"""Images, and patients, that are connected by pictures that they share."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from graft.duplicates.fingerprints import DuplicatePair


def group_images(pairs: Sequence[DuplicatePair], count: int) -> np.ndarray:
    """The number of the group (N,) of each of `count` images: pairs that are connected make one."""
    first = np.array([pair.first for pair in pairs], int)
    second = np.array([pair.second for pair in pairs], int)
    return _components(first, second, count)


def join_patients(
    index: pd.DataFrame, used: np.ndarray, pairs: Sequence[DuplicatePair]
) -> pd.DataFrame:
    """Give patients who share a picture one name, so that no division separates its copies.

    Args:
        index: N rows of index.csv.
        used: (N,), False for images that are left out, which connect nobody.
        pairs: of the images, by position.

    Returns:
        The index, in which the column `patient` has the first name, in alphabetical order, of the
        patients who are connected.
    """
    images = group_images(pairs, len(index))
    codes, names = pd.factorize(index["patient"], sort=True)
    # Each image that is used links its patient to the group of its picture.
    pictures = len(names) + images
    components = _components(codes[used], pictures[used], len(names) + len(index))
    component = components[codes]  # (N,)
    joined = index["patient"].groupby(component).transform("min")
    return index.assign(patient=joined)


def _components(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """The number of the connected component (count,) of each node, with links (L,) and (L,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    _, components = connected_components(links, directed=False)
    return components
