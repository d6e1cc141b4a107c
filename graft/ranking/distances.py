"""Distances between two domains in the features of one network. No label is read."""

from dataclasses import dataclass

import numpy as np

from graft.common.seeds import generator

PERMUTATIONS = 999  # of the patients; the least p is 0.001
FOLDS = 5  # of the classifier that separates the domains
MOST = 1000  # lesions of a domain at most, because all pairs of lesions are compared
LEAST_VARIATION = 1e-9  # of a feature, relative to its mean
LEAST_SQUARE = 1e-12  # least squared median distance, which is a divisor
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
        patient, patients = _patient_codes(self.patients)
        lesions = np.bincount(patient)  # (P,)
        order = random.permutation(patients)
        lesions_so_far = np.cumsum(lesions[order])
        fitting = np.searchsorted(lesions_so_far, MOST, side="right")
        drawn = order[: max(1, fitting)]
        is_drawn = np.isin(patient, drawn)  # (N,)
        return DomainFeatures(
            features=self.features[is_drawn],
            patients=self.patients[is_drawn],
        )


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
    discrepancy, p = mmd(
        x,
        y,
        x_patients=source.patients,
        y_patients=target.patients,
        random=generator(seed, *purpose, "permutations"),
    )
    separation = proxy_a(
        x,
        y,
        x_patients=source.patients,
        y_patients=target.patients,
        random=generator(seed, *purpose, "folds"),
    )
    return {
        "frechet": frechet(x, y),
        "mmd": discrepancy,
        "mmd_p": p,
        "proxy_a": separation,
    }


def standardise(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale features (N, F) and (M, F) to mean 0 and variance 1 over both, each weighing a half.

    Constant features are left out. If all are constant, one column of zeros remains.
    """
    mean = (x.mean(0) + y.mean(0)) / 2  # (F,)
    variance_x = ((x - mean) ** 2).mean(0)  # around the common mean
    variance_y = ((y - mean) ** 2).mean(0)
    variance = (variance_x + variance_y) / 2
    deviation = np.sqrt(variance)
    size = np.maximum(LEAST_VARIATION, np.abs(mean))
    is_varying = deviation > LEAST_VARIATION * size
    if not is_varying.any():
        zeros_x = np.zeros((len(x), 1))
        zeros_y = np.zeros((len(y), 1))
        return zeros_x, zeros_y
    mean = mean[is_varying]
    deviation = deviation[is_varying]
    scaled_x = (x[:, is_varying] - mean) / deviation
    scaled_y = (y[:, is_varying] - mean) / deviation
    return scaled_x, scaled_y


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
    root_x = _square_root(covariance_x)
    product = root_x @ covariance_y @ root_x  # symmetric, with the eigenvalues of S_x S_y
    root_of_product = _square_root(product)
    offset = x.mean(0) - y.mean(0)  # (F,)
    between_means = (offset**2).sum()
    without_overlap = between_means + np.trace(covariance_x) + np.trace(covariance_y)
    overlap = 2 * np.trace(root_of_product)
    distance = without_overlap - overlap
    return float(max(0.0, distance))


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
    codes_x, count_x = _patient_codes(x_patients)
    codes_y, count_y = _patient_codes(y_patients)
    if min(count_x, count_y) < 2:
        return np.nan, np.nan
    patient = np.concatenate([codes_x, codes_y + count_x])  # (N + M,)
    features = np.concatenate([x, y])  # (N + M, F)
    is_counted = patient[:, None] != patient  # (N + M, N + M)
    kernel = _gaussian_kernel(features, is_counted)
    assigned = _assign_patients(count_x, count_y, random)  # (1 + PERMUTATIONS, P)
    is_first = assigned[:, patient]  # (1 + PERMUTATIONS, N + M)
    found = _discrepancies(
        kernel=kernel * is_counted,
        counting=is_counted.astype(float),
        first=is_first.astype(float),
    )
    observed = found[0]
    is_as_large = found >= observed - TIE
    p = is_as_large.mean()
    return float(observed), float(p)


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
    fold_of_x_patient = random.permutation(count_x) % folds  # (P,)
    fold_of_y_patient = random.permutation(count_y) % folds
    fold_of_x = fold_of_x_patient[codes_x]  # (N,)
    fold_of_y = fold_of_y_patient[codes_y]  # (M,)
    fold = np.concatenate([fold_of_x, fold_of_y])  # (N + M,)
    features = np.concatenate([x, y])  # (N + M, F)
    domain = np.repeat([0, 1], [len(x), len(y)])  # (N + M,)
    is_wrong = np.zeros(len(domain), bool)
    for number in range(folds):
        held_out = fold == number
        kept = ~held_out
        model = LogisticRegression(class_weight="balanced", max_iter=1000)
        model.fit(features[kept], domain[kept])
        predicted = model.predict(features[held_out])
        is_wrong[held_out] = predicted != domain[held_out]
    error_x = is_wrong[domain == 0].mean()
    error_y = is_wrong[domain == 1].mean()
    error = (error_x + error_y) / 2
    error = min(error, 0.5)
    return float(2 * (1 - 2 * error))


def _patient_codes(patients: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the code 0..P-1 of each lesion's patient, and P."""
    names, codes = np.unique(patients, return_inverse=True)
    return codes, len(names)


def _gaussian_kernel(features: np.ndarray, is_counted: np.ndarray) -> np.ndarray:
    """Compute exp(−|a − b|² / 2s²) of all pairs of N rows: (N, N).

    Args:
        features: (N, F).
        is_counted: (N, N) bool, whether a pair counts for the median distance s.
    """
    from scipy.spatial.distance import pdist, squareform

    pairwise = pdist(features, "sqeuclidean")
    squares = squareform(pairwise)  # (N, N)
    median = np.median(squares[is_counted])
    median = max(median, LEAST_SQUARE)
    return np.exp(-squares / (2 * median))


def _assign_patients(count_x: int, count_y: int, random: np.random.Generator) -> np.ndarray:
    """Assign patients to the first domain (True) or the second: (1 + PERMUTATIONS, P).

    The first row has the patients of x in the first domain. The others permute it.
    """
    patients = np.arange(count_x + count_y)
    observed = patients < count_x  # (P,)
    assigned = np.tile(observed, (1 + PERMUTATIONS, 1))
    assigned[1:] = random.permuted(assigned[1:], axis=1)
    return assigned


def _discrepancies(
    kernel: np.ndarray,
    counting: np.ndarray,
    first: np.ndarray,
) -> np.ndarray:
    """Compute MMD² (R,) for each of R assignments of N rows to two domains.

    Args:
        kernel: (N, N), 0 for pairs of rows that do not count.
        counting: (N, N), 1 for pairs that count.
        first: (R, N), 1 for rows in the first domain.
    """
    kernels_first, kernels_between, kernels_second = _sums(kernel, first)
    pairs_first, pairs_between, pairs_second = _sums(counting, first)
    within_first = kernels_first / pairs_first
    within_second = kernels_second / pairs_second
    within = within_first + within_second
    return within - 2 * kernels_between / pairs_between


def _sums(
    matrix: np.ndarray,
    first: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute aᵀMa, aᵀM(1 − a) and (1 − a)ᵀM(1 − a) of a symmetric M for each row a of (R, N)."""
    rows = matrix.sum(1)  # (N,)
    products = (first @ matrix) * first  # (R, N)
    within_first = products.sum(1)  # (R,)
    touching_first = first @ rows
    between = touching_first - within_first
    within_second = rows.sum() - 2 * touching_first + within_first
    return within_first, between, within_second


def _square_root(matrix: np.ndarray) -> np.ndarray:
    """Compute the square root of a symmetric positive matrix; negative eigenvalues are rounding."""
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.maximum(values, 0))
    scaled = vectors * roots
    return scaled @ vectors.T
