"""How unlike two domains are in the eyes of one network. No label is read."""

from dataclasses import dataclass

import numpy as np

from graft.common.seeds import generator

PERMUTATIONS = 999  # of the patients; the least p is 0.001
FOLDS = 5  # of the classifier that tells the domains apart
MOST = 1000  # lesions of a domain that are compared: every one meets every other


@dataclass(frozen=True)
class Seen:
    """The training part of a domain as a network sees it: features (N, F), the patient of each (N,)."""

    features: np.ndarray
    patients: np.ndarray

    def __len__(self) -> int:
        return len(self.features)

    def few(self, random: np.random.Generator) -> "Seen":
        """The lesions of patients drawn without replacement, as many as make MOST lesions at most; else all."""
        if len(self) <= MOST:
            return self
        _, patient, counts = np.unique(self.patients, return_inverse=True, return_counts=True)
        order = random.permutation(len(counts))
        kept = order[: max(1, np.searchsorted(np.cumsum(counts[order]), MOST, side="right"))]
        rows = np.isin(patient, kept)
        return Seen(self.features[rows], self.patients[rows])


def compare(source: Seen, target: Seen, seed: int, *purpose: str) -> dict[str, float]:
    """All distances of two domains under one network: frechet, mmd with its p-value mmd_p, and proxy_a.

    Features are standardised over both domains together, each of them counting alike, so that the numbers do not hang
    on a network's scale and those of several networks can be set beside each other.
    """
    few = [
        seen.few(generator(seed, *purpose, side))
        for side, seen in (("source", source), ("target", target))
    ]
    x, y = standardise(*(seen.features for seen in few))
    patients = [seen.patients for seen in few]
    distance, p = mmd(x, y, *patients, generator(seed, *purpose, "permutations"))
    told_apart = proxy_a(x, y, *patients, generator(seed, *purpose, "folds"))
    return {"frechet": frechet(x, y), "mmd": distance, "mmd_p": p, "proxy_a": told_apart}


def standardise(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, F) and (M, F) with mean 0 and variance 1 over both, each of the two weighing a half.

    A feature that never changes is left out; one that is left of none is a column of zeros.
    """
    mean = (x.mean(0) + y.mean(0)) / 2
    deviation = np.sqrt((((x - mean) ** 2).mean(0) + ((y - mean) ** 2).mean(0)) / 2)
    alive = deviation > 1e-9 * np.maximum(1e-9, np.abs(mean))
    if not alive.any():
        return np.zeros((len(x), 1)), np.zeros((len(y), 1))
    return tuple((z[:, alive] - mean[alive]) / deviation[alive] for z in (x, y))


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """|m_x − m_y|² + tr(S_x + S_y − 2·(S_x S_y)^½) of features (N, F) and (M, F), as if they were Gaussian.

    The covariances are shrunk (Ledoit and Wolf, 2004), as there are seldom many more lesions than features.
    Dowson and Landau (1982), The Fréchet distance between multivariate normal distributions; on features of a
    network: Heusel et al. (NeurIPS 2017).
    """
    from sklearn.covariance import ledoit_wolf

    a, b = ledoit_wolf(x)[0], ledoit_wolf(y)[0]
    root = _root(a)
    middle = np.trace(_root(root @ b @ root))  # of the same trace as (S_x S_y)^½, and symmetric
    return float(
        max(0.0, ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * middle)
    )


def mmd(
    x: np.ndarray,
    y: np.ndarray,
    x_patients: np.ndarray,
    y_patients: np.ndarray,
    random: np.random.Generator,
) -> tuple[float, float]:
    """Squared maximum mean discrepancy of features (N, F) and (M, F), and the p-value of "the domains are one".

    With the kernel k(a, b) = exp(−|a − b|² / 2s²), s the median distance: the mean of k within x, and within y, less
    twice that between them. Gretton et al. (JMLR 2012). Within a domain only pairs of two patients count, as lesions of
    one are alike; so it is unbiased, and may fall below 0. The p-value deals out whole patients to the two domains
    anew, PERMUTATIONS times: (1 + #{as large or larger}) / (1 + PERMUTATIONS). Both are NaN where a domain has one
    patient.
    """
    from scipy.spatial.distance import pdist, squareform

    own = [np.unique(patients, return_inverse=True)[1] for patients in (x_patients, y_patients)]
    patient = np.concatenate([own[0], own[1] + own[0].max() + 1])
    counts = own[0].max() + 1, own[1].max() + 1
    if min(counts) < 2:
        return np.nan, np.nan
    squares = squareform(pdist(np.concatenate([x, y]), "sqeuclidean"))  # (N + M, N + M)
    others = (patient[:, None] != patient).astype(float)
    kernel = np.exp(-squares / (2 * max(np.median(squares[others > 0]), 1e-12)))
    dealt = np.tile(np.arange(sum(counts)) < counts[0], (1 + PERMUTATIONS, 1))
    dealt[1:] = random.permuted(dealt[1:], axis=1)
    found = _discrepancies(kernel * others, others, dealt[:, patient].astype(float))
    return float(found[0]), float((found >= found[0] - 1e-12).mean())


def proxy_a(
    x: np.ndarray,
    y: np.ndarray,
    x_patients: np.ndarray,
    y_patients: np.ndarray,
    random: np.random.Generator,
) -> float:
    """Proxy A-distance 2·(1 − 2ε), from 0 (cannot be told apart) to 2: Ben-David et al. (NeurIPS 2006).

    ε is the error of a logistic regression that tells features x (N, F) from y (M, F), both counting alike, on
    patients it did not learn from: up to FOLDS folds. Above ½ it counts as ½. NaN where a domain has one patient.
    """
    from sklearn.linear_model import LogisticRegression

    patients = [np.unique(each, return_inverse=True)[1] for each in (x_patients, y_patients)]
    folds = min(FOLDS, *(each.max() + 1 for each in patients))
    if folds < 2:
        return np.nan
    fold = np.concatenate([(random.permutation(each.max() + 1) % folds)[each] for each in patients])
    features, domain = np.concatenate([x, y]), np.repeat([0, 1], [len(x), len(y)])
    wrong = np.zeros(len(domain), bool)
    for k in range(folds):
        held = fold == k
        model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(
            features[~held], domain[~held]
        )
        wrong[held] = model.predict(features[held]) != domain[held]
    error = (wrong[domain == 0].mean() + wrong[domain == 1].mean()) / 2
    return float(2 * (1 - 2 * min(error, 0.5)))


def _discrepancies(kernel: np.ndarray, pairs: np.ndarray, first: np.ndarray) -> np.ndarray:
    """MMD² (R,) for each way (R, N) to deal the rows of a kernel (N, N) to two domains.

    `pairs` (N, N) is 1 where two rows count, and the kernel 0 where they do not.
    """
    (near, near_between, near_second), (all_, all_between, all_second) = (
        _sums(m, first) for m in (kernel, pairs)
    )
    return near / all_ + near_second / all_second - 2 * near_between / all_between


def _sums(matrix: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sums aᵀMa, aᵀM(1 − a) and (1 − a)ᵀM(1 − a) of a symmetric matrix for each row a of `first` (R, N)."""
    rows = matrix.sum(1)
    within, touching = ((first @ matrix) * first).sum(1), first @ rows
    return within, touching - within, rows.sum() - 2 * touching + within


def _root(matrix: np.ndarray) -> np.ndarray:
    """The square root of a symmetric matrix without negative eigenvalues but by rounding."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
