"""Scores of calibration against their definitions, torchmetrics, scikit-learn and repeated rows."""

import numpy as np
import pytest
import torch
from predictions import FEW, MANY, Predictions
from scipy.optimize import brentq  # type: ignore[import-untyped]
from scipy.stats import norm  # type: ignore[import-untyped]
from sklearn.metrics import log_loss
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from transxv2s.errors import InputError
from transxv2s.scoring import score
from transxv2s.scoring.arrays import Floats
from transxv2s.scoring.calibration import HEADLINE, CalibrationScores, calibration, calibration_intervals
from transxv2s.scoring.reliability import smooth_calibration_errors, top_label
from transxv2s.taxonomy import ISIC2019


def whole(data: Predictions, seed: int) -> Floats:
    """Rows that sum to 1, none of them rounded, so that no value lies on the edge of a bin."""
    noisy = data.probabilities + np.random.default_rng(seed).uniform(0.001, 0.01, data.probabilities.shape)
    return np.asarray(noisy / noisy.sum(1, keepdims=True))


P_MANY, P_FEW = whole(MANY, 1), whole(FEW, 2)
SCORES = calibration(P_MANY, MANY.labels, ISIC2019.codes)


def brute_force_smooth_error(confidence: Floats, hits: Floats) -> float:
    """The definition: a sum over images and mirror images, an integral by the trapezoid rule, a root."""
    t = np.linspace(0, 1, 1001)

    def error(width: float) -> float:
        smoothed = np.zeros_like(t)
        for mirror in range(-3, 4):
            for sign in (1, -1):
                kernel = norm.pdf(t[:, None], sign * confidence + 2 * mirror, width)
                smoothed += kernel @ (hits - confidence) / len(hits)
        return float(np.trapezoid(abs(smoothed), t))

    return float(brentq(lambda width: error(width) - width, 0.005, 0.6))


def smooth_error(confidence: Floats, hits: Floats) -> float:
    return float(smooth_calibration_errors(confidence, hits, np.ones((1, len(hits))))[0])


@pytest.mark.parametrize("power", [0.3, 1.0, 4.0])
def test_smooth_error_is_its_definition(power: float) -> None:
    random = np.random.default_rng(7)
    honest = random.beta(2, 1, 150)
    hits = (random.random(150) < honest).astype(np.float64)
    assert smooth_error(honest**power, hits) == pytest.approx(
        brute_force_smooth_error(honest**power, hits), abs=2e-4
    )


def test_smooth_error_of_weights_is_that_of_repeated_rows() -> None:
    confidence, hits = top_label(P_FEW, FEW.labels)
    times = np.random.default_rng(0).integers(0, 4, (3, len(hits)))
    found = smooth_calibration_errors(confidence, hits, times.astype(np.float64))
    expected = [smooth_error(np.repeat(confidence, row), np.repeat(hits, row)) for row in times]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("wrong", [0, 3, 10])
def test_smooth_error_of_one_probability_is_the_gap(wrong: int) -> None:
    """Smoothing spreads residuals of one sign and loses none of them, whatever the width."""
    hits = np.repeat([0.0, 1.0], [wrong, 10 - wrong])
    assert smooth_error(np.ones(10), hits) == pytest.approx(wrong / 10, abs=2e-6)


def test_smooth_error_of_honest_probabilities_is_the_noise_that_theory_says() -> None:
    """The smoothed residual at t has the variance t(1 − t) / (2√π·N·σ) where probabilities are uniform.

    The mean of |normal| is √(2/π) of its deviation, and ∫√(t(1 − t))dt = π/8; σ = smECE is solved for.
    """
    random, images = np.random.default_rng(3), 5000
    theory = ((2 / np.pi) * (np.pi / 8) ** 2 / (2 * np.sqrt(np.pi) * images)) ** (1 / 3)
    found = []
    for honest in random.random((40, images)):
        found.append(smooth_error(honest, (random.random(images) < honest).astype(np.float64)))
    assert np.mean(found) == pytest.approx(theory, rel=0.05)


def test_errors_are_torchmetrics() -> None:
    p, y = torch.from_numpy(P_MANY), torch.from_numpy(MANY.labels)
    columns = p.T.contiguous()
    expected = multiclass_calibration_error(p, y, num_classes=8, n_bins=15, norm="l1")
    assert SCORES["ece"] == pytest.approx(float(expected), abs=1e-6)
    of_classes = []
    for c, code in enumerate(ISIC2019.codes):
        of_classes.append(float(binary_calibration_error(columns[c], (y == c).long(), n_bins=15, norm="l1")))
        assert SCORES["per_class"][code]["ece"] == pytest.approx(of_classes[-1], abs=1e-6)
    assert SCORES["classwise_ece"] == pytest.approx(np.mean(of_classes), abs=1e-6)


def test_the_headline_is_that_of_all_other_scores() -> None:
    expected = score(P_MANY, MANY.labels, ISIC2019)
    for name in ("ece", "brier", "nll"):
        assert dict(SCORES)[name] == pytest.approx(dict(expected)[name])
    confidence, hits = top_label(P_MANY, MANY.labels)
    assert SCORES["smooth_ece"] == smooth_error(confidence, hits)


@pytest.mark.parametrize("code", ISIC2019.codes)
def test_a_class_is_scored_on_its_own_images(code: str) -> None:
    c = ISIC2019.index(code)
    own = MANY.labels == c
    found = SCORES["per_class"][code]
    assert found["images"] == own.sum() > 0
    squares = (P_MANY[own] - np.eye(8)[c]) ** 2
    assert found["brier"] == pytest.approx(squares.sum(1).mean())
    assert found["nll"] == pytest.approx(log_loss(MANY.labels[own], P_MANY[own], labels=range(8)))
    assert found["smooth_ece"] == smooth_error(P_MANY[:, c], own.astype(np.float64))


def test_perfect_probabilities_have_no_error() -> None:
    labels = np.arange(8).repeat(3)
    found = calibration(np.eye(8)[labels], labels, ISIC2019.codes)
    assert [dict(found)[name] for name in HEADLINE] == pytest.approx([0] * 5, abs=2e-6)


def test_a_class_without_images_has_an_error_but_no_proper_score() -> None:
    found = calibration([[0.75, 0.25], [0.75, 0.25]], [0, 0], ["NV", "VASC"])["per_class"]["VASC"]
    assert (found["images"], found["brier"], found["nll"]) == (0, None, None)
    assert found["ece"] == pytest.approx(0.25)
    assert found["smooth_ece"] == pytest.approx(0.25, abs=1e-5)


def repeated(p: Floats, data: Predictions, draws: int, seed: int) -> list[CalibrationScores]:
    """Scores of physically repeated rows: for each draw, each lesion's images as often as it was drawn."""
    names = np.unique(data.lesions)
    random = np.random.default_rng(seed)
    results = []
    for counts in random.multinomial(len(names), np.full(len(names), 1 / len(names)), draws):
        times = dict(zip(names, counts, strict=True))
        rows = [row for row, lesion in enumerate(data.lesions) for _ in range(times[lesion])]
        results.append(calibration(p[rows], data.labels[rows], ISIC2019.codes))
    return results


def test_intervals_are_those_of_repeated_rows() -> None:
    flat = np.full_like(P_FEW, 1 / 8) + np.linspace(-0.01, 0.01, 8)
    models = {"before": P_FEW, "after": flat}
    found = calibration_intervals(models, FEW.labels, FEW.lesions, draws=40, seed=3)
    assert tuple(found) == ("before", "after")
    drawn = {name: repeated(p, FEW, 40, 3) for name, p in models.items()}
    value = {name: calibration(p, FEW.labels, ISIC2019.codes) for name, p in models.items()}
    for metric in HEADLINE:
        before, after = (np.array([dict(d)[metric] for d in drawn[name]], np.float64) for name in models)
        ends = np.quantile(after, [0.025, 0.975])
        scores = found["after"]["scores"][metric]
        assert scores["value"] == pytest.approx(dict(value["after"])[metric])
        assert (scores["low"], scores["high"]) == pytest.approx(tuple(ends))
        change = found["after"]["change"][metric]
        assert (change["low"], change["high"]) == pytest.approx(
            tuple(np.quantile(after - before, [0.025, 0.975]))
        )
        assert found["before"]["change"][metric] == {"value": 0, "low": 0, "high": 0}


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(InputError, match="sum to 1"):
        calibration([[0.5, 0.2]], [0], ["NV", "MEL"])
    with pytest.raises(InputError, match="3 codes for 2 columns"):
        calibration([[0.5, 0.5]], [0], ["NV", "MEL", "BCC"])
    with pytest.raises(InputError, match="finite"):
        calibration([[np.nan, 0.5]], [0], ["NV", "MEL"])
    with pytest.raises(InputError, match="1 lesions for 2 images"):
        calibration_intervals({"one": [[0.5, 0.5]] * 2}, [0, 1], ["a"])
    with pytest.raises(InputError, match=r"\(N, K\)"):
        calibration_intervals({"one": [[0.5, 0.5]] * 2, "other": [[0.5, 0.5]]}, [0, 1], ["a", "b"])
