"""Temperature against a brute-force grid and by simulation."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from transxv2s.errors import InputError
from transxv2s.trust.calibration import fit_temperature, softmax

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
