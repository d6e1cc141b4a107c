"""Scores of how well a source may transfer, computed before any training on the target."""

import numpy as np

RANGE = 27.5  # of ln α/β, around the largest squared singular value: 12 decades each way
STEP = 0.25  # of ln α/β
FLOOR = 1e-12  # least noise, relative to the labels, for features that give them exactly


def log_me(features: np.ndarray, labels: np.ndarray) -> float:
    """Compute LogME: the log maximum evidence of labels (N,) given features (N, F), per lesion.

    Higher is better. The 0s and 1s y of each class are a linear function of the features with
    Gaussian weights and noise, y ~ N(Fw, I/β), w ~ N(0, I/α). With A = αI + βFᵀF and m = βA⁻¹Fᵀy
    the evidence is

        ½F·ln α + ½N·ln β − ½β|Fm − y|² − ½α|m|² − ½ln|A| − ½N·ln 2π

    at the α and β that maximise it, divided by N. The score is the mean over the classes that
    occur. You, Liu, Wang and Long (ICML 2021); from one SVD for all classes, as in their JMLR paper
    (2022).
    """
    left, scale, _ = np.linalg.svd(features, full_matrices=False)  # (N, r), (r,)
    epsilon = np.finfo(float).eps
    largest = scale.max(initial=0)
    rounding = largest * max(features.shape) * epsilon
    is_kept = scale > rounding
    left = left[:, is_kept]
    squares = scale[is_kept] ** 2
    evidence_per_lesion = []
    for label in np.unique(labels):
        is_of_class = labels == label
        y = is_of_class.astype(float)
        projected = left.T @ y  # (r,)
        evidence = _evidence(projected, squares, y)
        evidence_per_lesion.append(evidence / len(y))
    return float(np.mean(evidence_per_lesion))


def _evidence(projected: np.ndarray, squares: np.ndarray, y: np.ndarray) -> float:
    """Compute the maximum log evidence of y.

    For a given t = α/β the best β is N/Q with Q = |Fm − y|² + t|m|². This leaves
    −½N·(ln 2πQ/N + 1) − ½Σ ln(1 + s²/t). It may have several maxima in t, and the papers' fixed
    point may end in one that is not the highest. So t is searched on a grid, and then around its
    best. Features that give y exactly have an unbounded evidence, so t and Q have a floor.

    Args:
        projected: (r,) y projected on the left singular vectors of the features.
        squares: (r,) their squared singular values.
        y: (N,).
    """
    from scipy.optimize import minimize_scalar

    count = len(y)
    total = y @ y
    explained = projected @ projected
    unexplained = max(0.0, total - explained)  # by any weights

    def negative_evidence(t: np.ndarray) -> np.ndarray:
        """Return a value (K,) for each t (K,)."""
        column = t[:, None]  # (K, 1)
        ratios = column / (squares + column)  # (K, r)
        residual = ratios @ projected**2 + unexplained  # Q
        noise = np.maximum(residual, FLOOR * total) / count  # Q / N
        fit = count * (np.log(2 * np.pi * noise) + 1)
        complexity = np.log(ratios).sum(1)
        return 0.5 * (fit - complexity)

    def negative_evidence_at(log_t: float) -> float:
        t = np.exp([log_t])
        return negative_evidence(t)[0]

    largest = squares.max(initial=FLOOR)
    offsets = np.arange(-RANGE, RANGE + STEP, STEP)
    grid = np.log(largest) + offsets  # ln t
    on_grid = negative_evidence(np.exp(grid))
    best = grid[on_grid.argmin()]
    found = minimize_scalar(
        negative_evidence_at,
        bounds=(best - STEP, best + STEP),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return -float(found.fun)
