"""Four scores of novelty, from logits or from the features before the classifier.

Logits are as the network gives them, features those of the same forward pass. All arithmetic is in float64;
parameters are held in float32, as they are stored, so that a score is the same before and after.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp  # type: ignore[import-untyped]

from transxv2s.trust.calibration import softmax
from transxv2s.trust.novelty.gaussian import class_means, squared_distance, whitening
from transxv2s.trust.novelty.score import Floats, Kind, NoveltyScore, Stored

BANK = 960  # training images kept by `Neighbours`: 1.97 MB of 512 features each
NEIGHBOUR = 10  # of a bank of that size; Sun et al. take 10 of 1 % of ImageNet


@dataclass(frozen=True, eq=False)
class Softmax(NoveltyScore):
    """1 − the largest probability (Hendrycks and Gimpel 2017)."""

    kind = "softmax"

    @classmethod
    def _fit(cls, features: Floats, labels: NDArray[np.int64]) -> Self:
        return cls()

    def _scores(self, logits: Floats, features: Floats) -> Floats:
        return np.asarray(1 - softmax(logits).max(axis=1))


@dataclass(frozen=True, eq=False)
class Energy(NoveltyScore):
    """−T·log Σ_k exp(z_k / T) of the logits z (Liu et al. 2020), by default with T = 1 as there.

    Attributes:
        temperature: T, a single number > 0.
    """

    temperature: Stored
    kind = "energy"

    @classmethod
    def _fit(cls, features: Floats, labels: NDArray[np.int64]) -> Self:
        return cls(np.array(1, np.float32))

    def _scores(self, logits: Floats, features: Floats) -> Floats:
        temperature = float(self.temperature)
        return np.asarray(-temperature * logsumexp(logits / temperature, axis=1))


@dataclass(frozen=True, eq=False)
class Mahalanobis(NoveltyScore):
    """Squared distance from the nearest class mean, one covariance for all (Lee et al. 2018, equation 2).

    Attributes:
        means: Of the C classes that there are, (C, D).
        whitening: See `gaussian.whitening`.
    """

    means: Stored
    whitening: Stored
    kind = "mahalanobis"

    @classmethod
    def _fit(cls, features: Floats, labels: NDArray[np.int64]) -> Self:
        means, residuals = class_means(features, labels)
        return cls(means.astype(np.float32), whitening(residuals))

    def _scores(self, logits: Floats, features: Floats) -> Floats:
        return squared_distance(features, self.means, self.whitening)

    def _width(self) -> int:
        return len(self.means.T)


@dataclass(frozen=True, eq=False)
class Neighbours(NoveltyScore):
    """Distance from the k-th nearest training image, features scaled to length 1 (Sun et al. 2022).

    Attributes:
        bank: Scaled features (M, D) of training images, as many of each class as far as there are.
        neighbour: k, a single number from 1 to M.
    """

    bank: Stored
    neighbour: Stored
    kind = "neighbours"

    @classmethod
    def _fit(cls, features: Floats, labels: NDArray[np.int64]) -> Self:
        random = np.random.default_rng(0)
        present = np.unique(labels)
        share = max(1, BANK // len(present))
        kept = [random.permutation(np.flatnonzero(labels == label))[:share] for label in present]
        bank = _unit(features[np.concatenate(kept)]).astype(np.float32)
        return cls(bank, np.array(min(NEIGHBOUR, len(bank)), np.float32))

    def _scores(self, logits: Floats, features: Floats) -> Floats:
        from scipy.spatial.distance import cdist  # type: ignore[import-untyped]  # slow to load, for this score alone

        distance = cdist(_unit(features), self.bank.astype(np.float64))
        k = int(self.neighbour) - 1
        return np.asarray(np.partition(distance, k, axis=1)[:, k])

    def _width(self) -> int:
        return len(self.bank.T)


SCORES: dict[Kind, type[NoveltyScore]] = {
    score.kind: score for score in (Softmax, Energy, Mahalanobis, Neighbours)
}


def _unit(features: Floats) -> Floats:
    """Rows of length 1; a row of zeros stays."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(length > 0, length, 1))
