"""Normal distributions with one covariance for all classes, as they are fitted, packed and measured with.

Stored is the lower triangle of C⁻¹, where C·Cᵀ is the covariance: half the size of a matrix, and a distance
computed from it cannot become negative by rounding, as it could with the inverse of the covariance.
"""

import numpy as np
from numpy.typing import NDArray

from transxv2s.trust.novelty.score import Floats, Stored

LEAST_VARIANCE = 1e-6  # for features of order 1: distances stay finite where training features do not vary


def class_means(features: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Means (C, D) of the C classes that there are, and what features (N, D) differ from their own by."""
    present, place = np.unique(labels, return_inverse=True)
    means = np.stack([features[labels == label].mean(axis=0) for label in present])
    return means, features - means[place]


def whitening(residuals: Floats) -> Stored:
    """Packed lower triangle of C⁻¹, (D·(D + 1)/2,), of the covariance of residuals (N, D) around 0.

    The covariance is shrunk towards a multiple of the identity by the amount of Ledoit and Wolf (2004): there
    may be fewer images than features.
    """
    from scipy.linalg import solve_triangular  # type: ignore[import-untyped]  # both slow to import,
    from sklearn.covariance import LedoitWolf  # and for fitting alone

    covariance = LedoitWolf(assume_centered=True).fit(residuals).covariance_
    covariance[np.diag_indices_from(covariance)] += LEAST_VARIANCE
    inverse = solve_triangular(np.linalg.cholesky(covariance), np.eye(len(covariance)), lower=True)
    packed: Stored = inverse[np.tril_indices_from(inverse)].astype(np.float32)
    return packed


def squared_distance(features: Floats, means: Stored, packed: Stored) -> Floats:
    """Squared Mahalanobis distance (N,) of features (N, D) from the nearest of means (C, D)."""
    width = means.shape[1]
    inverse = np.zeros((width, width))
    inverse[np.tril_indices(width)] = packed
    white = features @ inverse.T
    distance = [((white - mean) ** 2).sum(axis=1) for mean in means.astype(np.float64) @ inverse.T]
    nearest: Floats = np.min(distance, axis=0)
    return nearest
