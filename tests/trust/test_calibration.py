"""Temperature against a brute-force grid, prediction sets against the textbook and by simulation."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from transxv2s.errors import InputError
from transxv2s.trust.calibration import (
    Calibration,
    conformal_threshold,
    fit_temperature,
    prediction_set,
    softmax,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def overconfident(seed: int, images: int, sharpness: float) -> tuple[Floats, Integers]:
    """Logits whose honest temperature is `sharpness`: labels are drawn from softmax(logits / sharpness)."""
    generator = np.random.default_rng(seed)
    honest = generator.normal(0, 2, (images, 8))
    labels = (softmax(honest).cumsum(axis=1) < generator.random((images, 1))).sum(axis=1)
    return honest * sharpness, labels


def negative_log_likelihood(logits: Floats, labels: Integers, temperature: float) -> float:
    scores = torch.from_numpy(logits) / temperature
    return float(torch.nn.functional.cross_entropy(scores, torch.from_numpy(labels)))


def test_softmax_is_torchs_and_does_not_overflow() -> None:
    logits = np.random.default_rng(0).normal(0, 300, (20, 8))
    expected = torch.softmax(torch.from_numpy(logits) / 1.7, dim=1).numpy()
    np.testing.assert_allclose(softmax(logits, 1.7), expected, atol=1e-14)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 2.5])
def test_temperature_is_the_minimum_of_a_brute_force_grid(sharpness: float) -> None:
    logits, labels = overconfident(seed=1, images=400, sharpness=sharpness)
    grid = np.geomspace(0.05, 20, 2001)
    losses = [negative_log_likelihood(logits, labels, t) for t in grid]
    fitted = fit_temperature(logits, labels)
    assert negative_log_likelihood(logits, labels, fitted) <= min(losses)
    assert abs(math.log(fitted / grid[int(np.argmin(losses))])) <= math.log(grid[1] / grid[0])


def test_temperature_undoes_overconfidence() -> None:
    logits, labels = overconfident(seed=2, images=20_000, sharpness=2.5)
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.03)


def test_temperature_stays_within_its_bounds() -> None:
    perfect = 5 * np.eye(8)
    assert fit_temperature(perfect, np.arange(8)) == pytest.approx(0.05)
    assert fit_temperature(perfect, (np.arange(8) + 1) % 8) == pytest.approx(20)


@pytest.mark.parametrize("coverage", [0.5, 0.55, 0.9, 0.95])
@pytest.mark.parametrize("images", [19, 20, 99])
def test_threshold_is_the_finite_sample_quantile_of_the_scores(images: int, coverage: float) -> None:
    logits, labels = overconfident(seed=images, images=images, sharpness=1)
    probabilities = softmax(logits)
    scores = sorted(1 - probabilities[np.arange(images), labels])
    needed = next(k for k in range(1, images + 2) if 100 * k >= round(100 * coverage) * (images + 1))
    expected = 1 - scores[needed - 1] if needed <= images else 0
    assert conformal_threshold(probabilities, labels, coverage) == pytest.approx(expected, abs=1e-15)


def test_too_few_images_let_every_class_in() -> None:
    probabilities = softmax(np.zeros((5, 8)))
    assert conformal_threshold(probabilities, np.zeros(5, dtype=int), coverage=0.9) == 0


def test_sets_cover_new_images_as_often_as_the_theory_says() -> None:
    """Over calibration sets of n images the coverage of LAC is exactly ⌈(n + 1)·coverage⌉ / (n + 1)."""
    calibration_images, test_images, repetitions, coverage = 49, 50, 3000, 0.85
    covered = np.empty(repetitions)
    for r in range(repetitions):
        logits, labels = overconfident(r, calibration_images + test_images, sharpness=2)
        probabilities, fitting = softmax(logits), slice(calibration_images)
        threshold = conformal_threshold(probabilities[fitting], labels[fitting], coverage)
        truth = probabilities[np.arange(len(labels)), labels][calibration_images:]
        covered[r] = (truth >= threshold).mean()
    theory = math.ceil(50 * 0.85) / 50
    assert abs(covered.mean() - theory) < 4 * covered.std() / math.sqrt(repetitions)


def test_set_holds_the_classes_above_the_threshold_most_probable_first() -> None:
    probabilities = [0.3, 0.05, 0.5, 0.15]
    assert prediction_set(probabilities, 0.15) == [2, 0, 3]
    assert prediction_set(probabilities, 0.0) == [2, 0, 3, 1]


def test_set_is_never_empty() -> None:
    assert prediction_set([0.2, 0.45, 0.35], 0.9) == [1]
    assert prediction_set([0.25] * 4, 0.9) == [0]


@pytest.mark.parametrize(
    ("scores", "labels", "complaint"),
    [
        (np.zeros((0, 8)), np.zeros(0, dtype=int), "N ≥ 1"),
        (np.zeros((3, 8)), np.zeros(2, dtype=int), "N ≥ 1"),
        (np.zeros(8), np.zeros(8, dtype=int), "N ≥ 1"),
        (np.full((2, 8), np.nan), np.zeros(2, dtype=int), "NaN"),
        (np.zeros((2, 8)), np.array([0, 8]), "from 0 to 7"),
        (np.zeros((2, 8)), np.array([-1, 0]), "from 0 to 7"),
        (np.zeros((2, 8)), np.array([0.0, 1.0]), "integers"),
    ],
)
def test_what_does_not_go_together_is_refused(scores: Floats, labels: Integers, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        fit_temperature(scores, labels)
    with pytest.raises(InputError, match=complaint):
        conformal_threshold(scores, labels, coverage=0.9)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0, math.nan])
def test_coverage_must_be_a_share(coverage: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        conformal_threshold(np.ones((3, 1)), np.zeros(3, dtype=int), coverage)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.0},
        {"temperature": math.inf},
        {"coverage": 1.0},
        {"set_threshold": 1.1},
        {"bias": 0.0},
    ],
)
def test_calibration_refuses_impossible_values(change: dict[str, float]) -> None:
    values = {"temperature": 1.3, "coverage": 0.9, "set_threshold": 0.2, "fitted_on": "fold 4, 100 images"}
    assert Calibration.model_validate(values).temperature == 1.3
    with pytest.raises(ValidationError):
        Calibration.model_validate(values | change)
