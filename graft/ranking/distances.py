"""Distances between two domains in the features of one network. No label is read."""

from dataclasses import dataclass

import numpy as np

from graft.common.seeds import generator

PERMUTATIONS = 999  # of the patients; the least p is 0.001
FOLDS = 5  # of the classifier that separates the domains
MOST = 1000  # lesions of a domain that are compared: all pairs of lesions are
LEAST_VARIATION = 1e-9  # of a feature, relative to its mean
TIE = 1e-12  # permuted distances this much smaller count as equal


@dataclass(frozen=True)
class DomainFeatures:
    """The training part of a domain in one network: features (N, F) and patients (N,)."""

    features: np.ndarray
    patients: np.ndarray

    def __len__(self) -> int:
        return len(self.features)

    def subsample(self, random: np.random.Generator) -> "DomainFeatures":
        """Draw patients with at most MOST lesions in total; all patients if they have no more."""
        if len(self) <= MOST:
            return self
        _, patient, counts = np.unique(self.patients, return_inverse=True, return_counts=True)
        order = random.permutation(len(counts))
        fitting = np.searchsorted(np.cumsum(counts[order]), MOST, side="right")
        drawn = order[: max(1, fitting)]
        rows = np.isin(patient, drawn)
        return DomainFeatures(self.features[rows], self.patients[rows])


def compare_domains(
    source: DomainFeatures,
    target: DomainFeatures,
    seed: int,
    *purpose: str,
) -> dict[str, float]:
    """Compute all distances: `frechet`, `mmd` with its p-value `mmd_p`, and `proxy_a`.

    Features are standardised over both domains together, each with the same weight. The distances
    then do not depend on a network's scale and can be compared between networks.

    Args:
        source: one domain.
        target: the other, in the same network.
        seed: of subsamples, permutations and folds.
        *purpose: of the seed.
    """
    source = source.subsample(generator(seed, *purpose, "source"))
    target = target.subsample(generator(seed, *purpose, "target"))
    x, y = standardise(source.features, target.features)
    patients = (source.patients, target.patients)
    distance, p = mmd(x, y, *patients, generator(seed, *purpose, "permutations"))
    separation = proxy_a(x, y, *patients, generator(seed, *purpose, "folds"))
    return {"frechet": frechet(x, y), "mmd": distance, "mmd_p": p, "proxy_a": separation}


def standardise(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale features (N, F) and (M, F) to mean 0 and variance 1 over both, each weighing a half.

    Constant features are left out. If all are constant, one column of zeros remains.
    """
    mean = (x.mean(0) + y.mean(0)) / 2
    variance_x = ((x - mean) ** 2).mean(0)
    variance_y = ((y - mean) ** 2).mean(0)
    deviation = np.sqrt((variance_x + variance_y) / 2)
    varying = deviation > LEAST_VARIATION * np.maximum(LEAST_VARIATION, np.abs(mean))
    if not varying.any():
        return np.zeros((len(x), 1)), np.zeros((len(y), 1))
    mean = mean[varying]
    deviation = deviation[varying]
    return (x[:, varying] - mean) / deviation, (y[:, varying] - mean) / deviation


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """Compute |m_x − m_y|² + tr(S_x + S_y − 2·(S_x S_y)^½) of features (N, F) and (M, F).

    This is the Fréchet distance of two Gaussians. The covariances are shrunk (Ledoit and Wolf,
    2004), as there are seldom many more lesions than features. Dowson and Landau (1982), The
    Fréchet distance between multivariate normal distributions; on features of a network: Heusel
    et al. (NeurIPS 2017).
    """
    from sklearn.covariance import ledoit_wolf

    covariance_x, _ = ledoit_wolf(x)
    covariance_y, _ = ledoit_wolf(y)
    root = _root(covariance_x)
    product = root @ covariance_y @ root  # symmetric, with the eigenvalues of S_x S_y
    between_means = ((x.mean(0) - y.mean(0)) ** 2).sum()
    traces = between_means + np.trace(covariance_x) + np.trace(covariance_y)
    return float(max(0.0, traces - 2 * np.trace(_root(product))))


def mmd(
    x: np.ndarray,
    y: np.ndarray,
    x_patients: np.ndarray,
    y_patients: np.ndarray,
    random: np.random.Generator,
) -> tuple[float, float]:
    """Compute the squared maximum mean discrepancy of features (N, F) and (M, F), and its p-value.

    With the kernel k(a, b) = exp(−|a − b|² / 2s²), s the median distance, it is the mean of k
    within x and within y, less twice the mean between them. Gretton et al. (JMLR 2012). Within a
    domain only pairs of two patients count, as lesions of one are similar. So it is unbiased, and
    may be below 0.

    The p-value is that of "both domains have the same distribution". It assigns whole patients to
    the two domains at random, PERMUTATIONS times: (1 + #{as large or larger}) / (1 + PERMUTATIONS).

    Returns:
        Both numbers; NaN if a domain has one patient.
    """
    from scipy.spatial.distance import pdist, squareform

    codes_x, count_x = _patient_codes(x_patients)
    codes_y, count_y = _patient_codes(y_patients)
    if min(count_x, count_y) < 2:
        return np.nan, np.nan
    patient = np.concatenate([codes_x, codes_y + count_x])  # (N + M,)
    squares = squareform(pdist(np.concatenate([x, y]), "sqeuclidean"))  # (N + M, N + M)
    counting = (patient[:, None] != patient).astype(float)
    median = max(np.median(squares[counting > 0]), 1e-12)
    kernel = np.exp(-squares / (2 * median))
    is_first = np.arange(count_x + count_y) < count_x
    assigned = np.tile(is_first, (1 + PERMUTATIONS, 1))
    assigned[1:] = random.permuted(assigned[1:], axis=1)
    first = assigned[:, patient].astype(float)  # (1 + PERMUTATIONS, N + M)
    found = _discrepancies(kernel * counting, counting, first)
    return float(found[0]), float((found >= found[0] - TIE).mean())


def proxy_a(
    x: np.ndarray,
    y: np.ndarray,
    x_patients: np.ndarray,
    y_patients: np.ndarray,
    random: np.random.Generator,
) -> float:
    """Compute the proxy A-distance 2·(1 − 2ε): 0 for domains that cannot be separated, at most 2.

    ε is the error of a logistic regression that separates features x (N, F) from y (M, F), both
    domains with the same weight, on patients that it was not fitted on, in up to FOLDS folds. An
    error above ½ counts as ½. Ben-David et al. (NeurIPS 2006).

    Returns:
        The distance; NaN if a domain has one patient.
    """
    from sklearn.linear_model import LogisticRegression

    codes_x, count_x = _patient_codes(x_patients)
    codes_y, count_y = _patient_codes(y_patients)
    folds = min(FOLDS, count_x, count_y)
    if folds < 2:
        return np.nan
    folds_x = (random.permutation(count_x) % folds)[codes_x]
    folds_y = (random.permutation(count_y) % folds)[codes_y]
    fold = np.concatenate([folds_x, folds_y])
    features = np.concatenate([x, y])
    domain = np.repeat([0, 1], [len(x), len(y)])
    wrong = np.zeros(len(domain), bool)
    for k in range(folds):
        held = fold == k
        model = LogisticRegression(class_weight="balanced", max_iter=1000)
        model.fit(features[~held], domain[~held])
        wrong[held] = model.predict(features[held]) != domain[held]
    error = (wrong[domain == 0].mean() + wrong[domain == 1].mean()) / 2
    return float(2 * (1 - 2 * min(error, 0.5)))


def _patient_codes(patients: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the code 0..P-1 of each lesion's patient, and P."""
    names, codes = np.unique(patients, return_inverse=True)
    return codes, len(names)


def _discrepancies(kernel: np.ndarray, counting: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Compute MMD² (R,) for each of R assignments of N rows to two domains.

    Args:
        kernel: (N, N), 0 for pairs of rows that do not count.
        counting: (N, N), 1 for pairs that count.
        first: (R, N), 1 for rows in the first domain.
    """
    kernels_first, kernels_between, kernels_second = _sums(kernel, first)
    pairs_first, pairs_between, pairs_second = _sums(counting, first)
    within = kernels_first / pairs_first + kernels_second / pairs_second
    return within - 2 * kernels_between / pairs_between


def _sums(matrix: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute aᵀMa, aᵀM(1 − a) and (1 − a)ᵀM(1 − a) of a symmetric M for each row a of (R, N)."""
    rows = matrix.sum(1)
    within = ((first @ matrix) * first).sum(1)
    touching = first @ rows
    return within, touching - within, rows.sum() - 2 * touching + within


def _root(matrix: np.ndarray) -> np.ndarray:
    """Compute the square root of a symmetric positive matrix; negative eigenvalues are rounding."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
