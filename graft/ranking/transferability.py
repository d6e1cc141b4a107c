"""Which source is likely to transfer best, said before anything is trained on the target."""

import numpy as np

RANGE, STEP = (
    27.5,
    0.25,
)  # of ln α/β, around the largest squared singular value: 12 decades each way
FLOOR = 1e-12  # noise that remains, of the labels' own size, where features give them exactly
RANDOM = "random"  # the network as it is drawn, which has learnt from no source


def log_me(features: np.ndarray, labels: np.ndarray) -> float:
    """LogME: the logarithm of the maximum evidence of the labels (N,) given features (N, F), by lesion; more is better.

    Each class's 0s and 1s y are a linear function of the features with Gaussian weights and noise,
    y ~ N(Fw, I/β), w ~ N(0, I/α). With A = αI + βFᵀF and m = βA⁻¹Fᵀy the evidence is

        ½F·ln α + ½N·ln β − ½β|Fm − y|² − ½α|m|² − ½ln|A| − ½N·ln 2π,

    at the α and β that make it greatest, divided by N, the mean over the classes that are there. You, Liu, Wang and
    Long (ICML 2021); from one SVD for all classes, as in their JMLR paper (2022).
    """
    left, scale, _ = np.linalg.svd(features, full_matrices=False)  # (N, r), (r,)
    kept = scale > scale.max(initial=0) * max(features.shape) * np.finfo(float).eps
    left, squares = left[:, kept], scale[kept] ** 2
    return float(
        np.mean(
            [
                _evidence(left.T @ y, squares, y) / len(y)
                for y in ((labels == label).astype(float) for label in np.unique(labels))
            ]
        )
    )


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """Shrunk H-score of features (N, F) and labels (N,): tr(S⁻¹ · (1 − s)·B), from 0 to classes − 1; more is better.

    B is the covariance of the class means, each as often as its class; S = (1 − s)·cov + s·(tr cov / F)·I with the
    shrinkage s of Ledoit and Wolf (2004). Ibrahim, Ponomareva and Mazumder (ECML 2022), for as many features as
    lesions; with s = 0 it is that of Bao et al. (ICIP 2019). All covariances are divided by N.
    """
    from sklearn.covariance import ledoit_wolf

    centred = features - features.mean(0)
    if not np.ptp(features, axis=0).any():
        return 0.0
    shrunk, shrinkage = ledoit_wolf(centred)
    classes, code = np.unique(labels, return_inverse=True)
    means = np.stack([centred[code == k].mean(0) for k in range(len(classes))])[code]  # (N, F)
    between = means.T @ means / len(features)
    return float((1 - shrinkage) * np.trace(np.linalg.pinv(shrunk, hermitian=True) @ between))


def _evidence(projected: np.ndarray, squares: np.ndarray, y: np.ndarray) -> float:
    """The greatest logarithm of the evidence of y (N,), given its projection (r,) on the left singular vectors.

    `squares` (r,) are the squared singular values of the features. For a given t = α/β the best β is N/Q with
    Q = |Fm − y|² + t|m|², which leaves −½N·(ln 2πQ/N + 1) − ½Σ ln(1 + s²/t). That may have several maxima in t, and the
    papers' fixed point ends in one that need not be the highest: so t is searched on a grid, and then around its best.
    Features that give y exactly have an evidence without bound: t and Q have a floor.
    """
    from scipy.optimize import minimize_scalar

    count = len(y)
    beyond = max(0.0, y @ y - projected @ projected)  # what no weights can give

    def less(t: np.ndarray) -> np.ndarray:
        ratios = t[:, None] / (squares + t[:, None])  # (K, r)
        noise = np.maximum(ratios @ projected**2 + beyond, FLOOR * (y @ y)) / count  # Q / N
        return 0.5 * (count * (np.log(2 * np.pi * noise) + 1) - np.log(ratios).sum(1))

    grid = np.log(squares.max(initial=FLOOR)) + np.arange(-RANGE, RANGE + STEP, STEP)  # ln t
    best = grid[less(np.exp(grid)).argmin()]
    around = {"bounds": (best - STEP, best + STEP), "method": "bounded", "options": {"xatol": 1e-8}}
    return -float(minimize_scalar(lambda log_t: less(np.exp([log_t]))[0], **around).fun)
