"""Fits temperature, vector and Dirichlet scaling on images that the network was not trained on.

The loss of vector and Dirichlet scaling is the mean negative log-likelihood plus the ODIR penalty of Kull et
al. (2019), λ/(K(K − 1)) · Σ_{i≠j} W_ij² + μ/K · Σ_j b_j². With λ → ∞ Dirichlet scaling is vector scaling; so
μ is chosen first, for vector scaling, and then λ for that μ, each by the negative log-likelihood over folds
of lesions, from the strongest penalty on until a weaker one is no better. The loss is convex. Diagonal
weights stay within the reciprocals of the temperature's bounds: perfectly separated images give no infinite
weight.

A class without any calibration image would lose all its probability, only because nobody looked. Such a class
keeps, in the mean over the images, what temperature scaling gives it: the target of an image is not its label
alone, but that probability for each absent class, and the rest for its label.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import log_softmax  # type: ignore[import-untyped]

from transxv2s.scoring.bootstrap import lesion_numbers
from transxv2s.scoring.reliability import log_losses
from transxv2s.trust.calibration import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE, fit_temperature, softmax
from transxv2s.trust.scaling import Dirichlet, Floats, Kind, Scaling, Temperature, Vector, log_probabilities

Integers = NDArray[np.intp]
INTERCEPT_PENALTIES = (1.0, 0.1, 0.01, 0.001)
OFF_DIAGONAL_PENALTIES = (100.0, 10.0, 1.0, 0.1, 0.01)
FOLDS = 5
SEED = 0  # of the folds that choose the penalties
STEPS = 5000


class Penalty(NamedTuple):
    """Strengths μ ≥ 0 and λ ≥ 0; an infinite λ leaves the diagonal alone, which is vector scaling."""

    intercept: float
    off_diagonal: float = math.inf


class Map(NamedTuple):
    """Weights W (K, K) and bias b (K,) of q = softmax(W ln p + b)."""

    weights: Floats
    bias: Floats

    def scores(self, log_p: Floats) -> Floats:
        """Of ln p (N, K): (N, K)."""
        return np.asarray(log_p @ self.weights.T + self.bias)


class Problem(NamedTuple):
    """What a map is fitted to.

    Attributes:
        log_p: ln p (N, K).
        labels: (N,).
        targets: (N, K), rows sum to 1.
        temperature: The best one, where fits start.
    """

    log_p: Floats
    labels: Integers
    targets: Floats
    temperature: float

    @classmethod
    def of(cls, logits: ArrayLike, labels: ArrayLike) -> Self:
        """From logits and labels; raises as `fit`."""
        temperature = fit_temperature(logits, labels)
        z, y = np.asarray(logits, np.float64), np.asarray(labels, np.intp)
        return cls(log_probabilities(z, z.shape[1]), y, _targets(z, y, temperature), temperature)

    def start(self) -> Map:
        """Temperature scaling."""
        classes = self.log_p.shape[1]
        return Map(np.eye(classes) / self.temperature, np.zeros(classes))

    def fit(self, penalty: Penalty, start: Map) -> Map:
        """The map with the least penalised loss."""
        classes = len(start.bias)
        diagonal = np.eye(classes, dtype=bool)
        free = diagonal if math.isinf(penalty.off_diagonal) else np.ones_like(diagonal)
        span = (1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE)
        bounds = [*(span if own else (None, None) for own in diagonal[free]), *[(None, None)] * classes]

        def unpacked(parameters: Floats) -> Map:
            weights = np.zeros((classes, classes))
            weights[free] = parameters[:-classes]
            return Map(weights, parameters[-classes:])

        def objective(parameters: Floats) -> tuple[float, Floats]:
            loss, slope = self.loss(unpacked(parameters), penalty)
            return loss, np.concatenate([slope.weights[free], slope.bias])

        found = minimize(
            objective,
            np.concatenate([start.weights[free], start.bias]),
            method="L-BFGS-B",
            jac=True,
            bounds=bounds,
            options={"maxiter": STEPS, "maxfun": 2 * STEPS, "ftol": 1e-12, "gtol": 1e-7},
        )
        return unpacked(found.x)

    def loss(self, at: Map, penalty: Penalty) -> tuple[float, Map]:
        """Penalised mean cross-entropy with the targets, and its gradient."""
        images, classes = self.log_p.shape
        log_q = log_softmax(at.scores(self.log_p), axis=1)
        difference = (np.exp(log_q) - self.targets) / images
        strength = 0.0 if math.isinf(penalty.off_diagonal) else penalty.off_diagonal
        pull = strength / max(classes * (classes - 1), 1) * (1 - np.eye(classes)) * at.weights
        bias_pull = penalty.intercept / classes * at.bias
        loss = (pull * at.weights).sum() + (bias_pull * at.bias).sum() - (self.targets * log_q).sum() / images
        return float(loss), Map(difference.T @ self.log_p + 2 * pull, difference.sum(0) + 2 * bias_pull)


def fit(kind: Kind, logits: ArrayLike, labels: ArrayLike, lesions: Sequence[object]) -> Scaling:
    """Fits one form; the same arguments give the same numbers.

    Args:
        kind: The form.
        logits: Shape (N, K), of images that the network was not trained on.
        labels: Class indices, shape (N,).
        lesions: Which lesion each image shows; of a single one the strongest penalties are taken.

    Raises:
        InputError: The arguments are empty, not finite or do not go together.
    """
    temperature = fit_temperature(logits, labels)
    lesion = lesion_numbers(lesions, len(np.asarray(labels)))
    if kind == "temperature":
        return Temperature(temperature=temperature)
    folds = _Folds(np.asarray(logits, np.float64), np.asarray(labels, np.intp), lesion)
    vector = folds.best([Penalty(strength) for strength in INTERCEPT_PENALTIES])
    if kind == "vector":
        return fit_vector(logits, labels, vector.intercept)
    full = folds.best([Penalty(vector.intercept, strength) for strength in OFF_DIAGONAL_PENALTIES])
    return fit_dirichlet(logits, labels, full.intercept, full.off_diagonal)


def fit_vector(logits: ArrayLike, labels: ArrayLike, intercept_penalty: float) -> Vector:
    """Vector scaling with a given μ ≥ 0; arguments and errors else as of `fit`."""
    problem = Problem.of(logits, labels)
    found = problem.fit(Penalty(intercept_penalty), problem.start())
    weights, bias = np.diagonal(found.weights).tolist(), found.bias.tolist()
    return Vector(weights=tuple(weights), bias=tuple(bias), intercept_penalty=intercept_penalty)


def fit_dirichlet(
    logits: ArrayLike, labels: ArrayLike, intercept_penalty: float, off_diagonal_penalty: float
) -> Dirichlet:
    """Dirichlet scaling with given μ ≥ 0 and finite λ ≥ 0; arguments and errors else as of `fit`."""
    problem = Problem.of(logits, labels)
    found = problem.fit(Penalty(intercept_penalty, off_diagonal_penalty), problem.start())
    return Dirichlet(
        weights=tuple(map(tuple, found.weights.tolist())),
        bias=tuple(found.bias.tolist()),
        intercept_penalty=intercept_penalty,
        off_diagonal_penalty=off_diagonal_penalty,
    )


def folds_of(labels: Integers, lesion: Integers, folds: int, seed: int) -> Integers:
    """Fold of each image (N,): lesions, shuffled within their class, are dealt out in turn.

    No fold stays empty while there are lesions, which StratifiedGroupKFold does not promise; a lesion counts
    under its first label.
    """
    lesions, first = np.unique(lesion, return_index=True)
    shuffled = np.random.default_rng(seed).permutation(len(lesions))
    order = shuffled[np.argsort(labels[first][shuffled], kind="stable")]
    fold = np.empty(len(lesions), np.intp)
    fold[order] = np.arange(len(lesions)) % folds
    return np.asarray(fold[np.searchsorted(lesions, lesion)])


class _Folds:
    """Problems on all folds but one, each with the images that it leaves out."""

    def __init__(self, logits: Floats, labels: Integers, lesion: Integers) -> None:
        fold = folds_of(labels, lesion, FOLDS, SEED)
        parts = [fold == number for number in range(int(fold.max()) + 1)] if fold.any() else []
        self.problems = [Problem.of(logits[~out], labels[~out]) for out in parts]
        self.held_out = [(log_softmax(logits[out], axis=1), labels[out]) for out in parts]

    def best(self, penalties: Sequence[Penalty]) -> Penalty:
        """The last of the penalties, from the strongest on, that lowers the loss of what is left out."""
        least, chosen = math.inf, penalties[0]
        maps = [problem.start() for problem in self.problems]
        for penalty in penalties if self.problems else ():
            maps = [p.fit(penalty, start) for p, start in zip(self.problems, maps, strict=True)]
            parts = zip(maps, self.held_out, strict=True)
            loss = sum(log_losses(softmax(found.scores(z)), y).sum() for found, (z, y) in parts)
            if loss >= least:
                break
            least, chosen = loss, penalty
        return chosen


def _targets(logits: Floats, labels: Integers, temperature: float) -> Floats:
    """Labels (N, K) as 0 and 1, less what absent classes keep of each image's probability."""
    classes = logits.shape[1]
    absent = np.bincount(labels, minlength=classes) == 0
    kept = np.where(absent, softmax(logits, temperature), 0.0)
    return np.asarray(np.eye(classes)[labels] * (1 - kept.sum(1, keepdims=True)) + kept)
