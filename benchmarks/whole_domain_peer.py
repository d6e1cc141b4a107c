"""The search for copies that graft used before: all pairs, and a k-d tree of all keypoints."""

from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from graft.data.domain import Domain
from graft.duplicates import planes, shifted, volumes
from graft.duplicates.keypoints import Keypoints
from graft.duplicates.pairs import find_duplicates
from graft.duplicates.shifted import MAX_DISTANCE, NEAREST
from graft.duplicates.spectra import frequencies, mirror_images
from graft.duplicates.volumes import MIN_COARSE, NO_CONTENT

BLOCK = 32  # volumes compared with all others at once


def compare_all_pairs(folder: Path, cache: Path) -> set[tuple[int, int]]:
    """Find the copies within a processed domain whose features are known."""
    domain = Domain.read(folder)
    parts = pd.Series("train", index=domain.index.index)
    shape = domain.images.shape[2:]
    with (
        patch.object(volumes, "_proposed", lambda described, _: near_spectra(described, shape)),
        patch.object(planes, "all_near_pairs", all_pairs),
        patch.object(shifted, "_matches", nearest_in_tree),
    ):
        return {(pair.first, pair.second) for pair in find_duplicates(domain, parts, cache)}


def near_spectra(described: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Return the pairs (P, 2) of volumes whose spectra correlate, of all pairs."""
    rows = np.flatnonzero(described["boxes"][:, 0, 0] != NO_CONTENT)
    spectra = described["spectra"][rows]
    signs = ((-1.0) ** (mirror_images(3) @ frequencies(shape))).astype(np.float32)  # (8, K)
    found = [np.zeros((0, 2), int)]
    for start in range(0, len(spectra), BLOCK):
        block = spectra[start : start + BLOCK]
        later = spectra[start:]
        strength = np.zeros((len(block), len(later)), np.float32)
        for sign in signs:
            np.maximum(strength, np.abs((block * sign) @ later.T), out=strength)
        near = np.argwhere(strength >= MIN_COARSE)
        found.append(start + near[near[:, 0] < near[:, 1]])
    return rows[np.concatenate(found)]


def all_pairs(digits: np.ndarray, groups: None, agreeing: int) -> np.ndarray:
    """Return all pairs (P, 2)."""
    return np.column_stack(np.triu_indices(len(digits), 1))


def nearest_in_tree(keypoints: Keypoints, groups: None) -> tuple[Keypoints, Keypoints]:
    """Return the matches of keypoints, by the exact search in a k-d tree."""
    count = len(keypoints.image)
    if not count:
        return keypoints, keypoints
    tree = cKDTree(keypoints.descriptor)
    _, nearest = tree.query(keypoints.descriptor, k=NEAREST + 1, distance_upper_bound=MAX_DISTANCE)
    asked = np.repeat(np.arange(count), NEAREST + 1)
    is_near = nearest.ravel() < count  # cKDTree gives a missing neighbour this number
    joined = np.column_stack([nearest.ravel()[is_near], asked[is_near]])
    joined = np.unique(np.sort(joined, axis=1), axis=0)
    images = keypoints.image[joined]
    joined = joined[images[:, 0] != images[:, 1]]
    return keypoints.of(joined[:, 0]), keypoints.of(joined[:, 1])
