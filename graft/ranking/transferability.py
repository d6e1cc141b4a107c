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
    kept = scale > scale.max(initial=0) * max(features.shape) * epsilon
    left = left[:, kept]
    squares = scale[kept] ** 2
    evidence = []
    for label in np.unique(labels):
        y = (labels == label).astype(float)
        evidence.append(_evidence(left.T @ y, squares, y) / len(y))
    return float(np.mean(evidence))


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """Compute the shrunk H-score tr(S⁻¹ · (1 − s)·B), from 0 to classes − 1. Higher is better.

    B is the covariance of the class means, each as often as its class. S is the shrunk covariance
    (1 − s)·cov + s·(tr cov / F)·I with the shrinkage s of Ledoit and Wolf (2004). All covariances
    are divided by N. Ibrahim, Ponomareva and Mazumder (ECML 2022), for as many features as
    lesions; with s = 0 it is that of Bao et al. (ICIP 2019).

    Args:
        features: (N, F).
        labels: (N,).
    """
    from sklearn.covariance import ledoit_wolf

    centred = features - features.mean(0)
    if not np.ptp(features, axis=0).any():
        return 0.0
    shrunk, shrinkage = ledoit_wolf(centred)
    classes, code = np.unique(labels, return_inverse=True)
    class_means = [centred[code == k].mean(0) for k in range(len(classes))]
    means = np.stack(class_means)[code]  # (N, F)
    between = means.T @ means / len(features)
    inverse = np.linalg.pinv(shrunk, hermitian=True)
    return float((1 - shrinkage) * np.trace(inverse @ between))


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
    unexplained = max(0.0, total - projected @ projected)  # by any weights

    def negative_evidence(t: np.ndarray) -> np.ndarray:
        ratios = t[:, None] / (squares + t[:, None])  # (K, r)
        residual = ratios @ projected**2 + unexplained
        noise = np.maximum(residual, FLOOR * total) / count  # Q / N
        return 0.5 * (count * (np.log(2 * np.pi * noise) + 1) - np.log(ratios).sum(1))

    def negative_evidence_at(log_t: float) -> float:
        return negative_evidence(np.exp([log_t]))[0]

    centre = np.log(squares.max(initial=FLOOR))
    grid = centre + np.arange(-RANGE, RANGE + STEP, STEP)  # ln t
    best = grid[negative_evidence(np.exp(grid)).argmin()]
    bounds = (best - STEP, best + STEP)
    found = minimize_scalar(
        negative_evidence_at, bounds=bounds, method="bounded", options={"xatol": 1e-8}
    )
    return -float(found.fun)
