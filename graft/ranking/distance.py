"""The distance of two domains in the features of one network. No label is read."""

import numpy as np

LEAST_VARIATION = 1e-9  # of a feature, relative to its mean


def compare_domains(source: np.ndarray, target: np.ndarray) -> float:
    """Compute the Fréchet distance of two domains from their features (N, F) and (M, F).

    Features are standardised over both domains together, each with the same weight. The distance
    then does not depend on a network's scale and can be compared between networks.
    """
    return frechet(*standardise(source, target))


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


def _square_root(matrix: np.ndarray) -> np.ndarray:
    """Compute the square root of a symmetric positive matrix; negative eigenvalues are rounding."""
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(np.maximum(values, 0))
    scaled = vectors * roots
    return scaled @ vectors.T
