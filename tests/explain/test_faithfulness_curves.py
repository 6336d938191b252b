"""Deletion, insertion and ROAD: against plain loops, the common library, and a network of known truth."""

import numpy as np
import pytest
import torch
from sklearn.metrics import auc
from torch import Tensor, nn

from transxv2s.errors import InputError
from transxv2s.explain.faithfulness import controls, perturbation, road
from transxv2s.explain.faithfulness.perturbation import Map, Order, Values
from trusting import plain_trust

SIDE = 32
LOOKED_AT = (slice(4, 14), slice(18, 28))  # off the middle


class OneRegion(nn.Module):
    """Looks at one region only: the brighter it is, the surer class 1."""

    def forward(self, x: Tensor) -> Tensor:
        seen = 4 * x[:, :, *LOOKED_AT].mean((1, 2, 3))
        return torch.stack([torch.zeros_like(seen), seen], 1)


def truth() -> Map:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[LOOKED_AT] = 1
    return values


def picture() -> Tensor:
    """The region bright, all else dark, and noise everywhere."""
    noise = 0.3 * torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    noise[:, *LOOKED_AT] += 1.2
    return noise - 0.6


def order_of(values: Map) -> Order:
    return perturbation.ranking(values, controls.random_map((SIDE, SIDE), seed=0))


def softmax_of_one_image(network: nn.Module, image: Tensor) -> float:
    return float(network(image[None])[0].softmax(0)[1])


def test_equals_come_in_the_order_of_a_coarse_map() -> None:
    """The region first, as a whole; what is left in patches, not pixel by pixel."""
    ties = controls.random_map((SIDE, SIDE), seed=0)
    order = order_of(truth())
    first, rest = order[: int(truth().sum())], order[int(truth().sum()) :]
    assert (truth().ravel()[first] == 1).all()
    assert (np.diff(ties.ravel()[first]) <= 0).all()
    assert (np.diff(ties.ravel()[rest]) <= 0).all()


@pytest.mark.parametrize("from_image", [True, False])
def test_a_curve_is_what_a_plain_loop_finds(from_image: bool) -> None:
    network, image, random = OneRegion(), picture(), np.random.default_rng(1)
    values = random.random((SIDE, SIDE), np.float32)
    baseline = perturbation.blurred(image)
    start, end = (image, baseline) if from_image else (baseline, image)
    expected = []
    ranked = sorted(np.ndindex(values.shape), key=lambda place: -values[place])
    for step in range(6):
        changed = start.clone()
        for y, x in ranked[: round(step / 5 * SIDE * SIDE)]:
            changed[:, y, x] = end[:, y, x]
        expected.append(softmax_of_one_image(network, changed))
    score = perturbation.probability_of(network, 1)
    found = score(perturbation.passage(start, end, order_of(values), steps=5))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert perturbation.area(found) == pytest.approx(auc(np.linspace(0, 1, 6), expected))


def test_both_curves_are_scored_at_once_with_shared_ends() -> None:
    image, scored = picture(), []
    baseline, order = perturbation.blurred(image), order_of(truth())
    score = perturbation.probability_of(OneRegion(), 1)

    def counting(images: Tensor) -> Values:
        scored.append(len(images))
        return score(images)

    found = perturbation.deletion_and_insertion(counting, image, baseline, order, steps=5)
    directions = [(image, baseline), (baseline, image)]
    curves = [score(perturbation.passage(start, end, order, 5)) for start, end in directions]
    np.testing.assert_allclose(found, [perturbation.area(curve) for curve in curves], atol=1e-9)
    assert scored == [10]


def test_probabilities_are_calibrated_where_there_is_trust() -> None:
    images, linear = torch.randn(3, 3, 4, 4), nn.Sequential(nn.Flatten(), nn.Linear(48, 8))
    expected = (linear(images).double() / 2).softmax(1)[:, 5].detach()
    found = perturbation.probability_of(linear, 5, plain_trust(temperature=2.0))(images)
    np.testing.assert_allclose(found, expected)


def test_probabilities_do_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randn(7, 3, SIDE, SIDE)
    whole = perturbation.probability_of(OneRegion(), 1)(images)
    monkeypatch.setattr(perturbation, "AT_ONCE", 3)
    np.testing.assert_allclose(perturbation.probability_of(OneRegion(), 1)(images), whole, atol=1e-6)


def test_baselines() -> None:
    image = picture()
    mean = perturbation.mean_colour(image)
    np.testing.assert_allclose(mean[:, 5, 7], image.flatten(1).mean(1), atol=1e-6)
    point = torch.zeros(3, 64, 64)
    point[:, 32, 32] = 1
    spread = perturbation.blurred(point)[0]
    distances = (torch.arange(64) - 32).square().float()
    deviation = (spread.sum(0) * distances).sum() / spread.sum()
    assert float(deviation) ** 0.5 == pytest.approx(perturbation.BLUR * 64, rel=0.02)


def test_ranking_puts_the_larger_first() -> None:
    values = np.zeros((SIDE, SIDE), np.float32)
    values[20:, 20:] = np.random.default_rng(0).random((12, 12)) + 1
    order = order_of(values)
    assert sorted(order) == list(range(SIDE * SIDE))
    assert (np.diff(values.ravel()[order]) <= 0).all()


@pytest.mark.parametrize("values", [np.zeros((1, 4, 4), np.float32), np.full((4, 4), np.nan, np.float32)])
def test_what_cannot_be_ranked_is_refused(values: Map) -> None:
    with pytest.raises(InputError, match="finite"):
        order_of(values)


def rated(values: Map) -> tuple[float, float, float, float, float]:
    """How good a map is by each measure, the more the better."""
    image, score, order = picture(), perturbation.probability_of(OneRegion(), 1), order_of(values)
    by_baseline = [
        perturbation.deletion_and_insertion(score, image, baseline(image), order)
        for baseline in perturbation.BASELINES.values()
    ]
    (d1, i1), (d2, i2) = by_baseline
    most, least = road.road(score, image, order, seed=0)
    return -d1, i1, -d2, i2, least - most


@pytest.mark.parametrize(
    "other",
    [
        1 - truth(),
        np.flip(truth(), 1).copy(),
        controls.centre((SIDE, SIDE)),
        *(controls.random_map((SIDE, SIDE), seed) for seed in range(5)),
    ],
)
def test_the_true_map_beats_controls_and_wrong_maps_in_every_measure(other: Map) -> None:
    assert (np.array(rated(truth())) > np.array(rated(other))).all()


def test_controls_are_maps_between_0_and_1_of_any_shape() -> None:
    for values in (controls.centre((30, 50)), controls.random_map((30, 50), 4)):
        assert values.shape == (30, 50)
        assert values.dtype == np.float32
        assert values.min() >= 0
        assert values.max() <= 1
    middle = controls.centre((31, 51))
    assert middle.argmax() == 15 * 51 + 25
    np.testing.assert_array_equal(controls.random_map((9, 9), 4), controls.random_map((9, 9), 4))


library = pytest.importorskip("pytorch_grad_cam.metrics.road")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_imputation_is_that_of_the_common_library(share: float) -> None:
    random = np.random.default_rng(7)
    image = random.normal(size=(3, 21, 17))
    missing = random.random((21, 17)) < share
    missing[0, :5] = True  # a corner and the border as well
    expected = library.NoisyLinearImputer(noise=0.0)(
        torch.from_numpy(image).float(), torch.from_numpy(~missing).float()
    )
    found = road.imputed(image, missing)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(found[:, ~missing], image[:, ~missing])


def test_imputation_needs_a_pixel() -> None:
    with pytest.raises(InputError, match="every pixel"):
        road.imputed(np.zeros((3, 4, 4)), np.ones((4, 4), bool))


def test_road_is_that_of_the_common_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise, the mean over the same shares of removed pixels."""
    perturb = pytest.importorskip("pytorch_grad_cam.metrics.perturbation_confidence")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    monkeypatch.setattr(road, "NOISE", 0.0)
    values, image = np.random.default_rng(5).random((SIDE, SIDE), np.float32), picture()

    def of_library(kind: str, percentile: float) -> float:
        removed = getattr(perturb, kind)(percentile, library.NoisyLinearImputer(noise=0.0))
        metric = perturb.PerturbationConfidenceMetric(removed)
        target = targets.ClassifierOutputSoftmaxTarget(1)
        scores = metric(image[None], values[None], [target], OneRegion(), return_diff=False)
        return float(scores[0])

    pixels = (
        SIDE * SIDE
    )  # the library's threshold is halfway between the last pixel kept and the first removed
    percentiles = [100 * (pixels - round(share * pixels) - 0.5) / (pixels - 1) for share in road.SHARES]
    expected = [
        np.mean([of_library(kind, percentile) for percentile in percentiles])
        for kind in ("RemoveMostRelevantFirst", "RemoveLeastRelevantFirst")
    ]
    score = perturbation.probability_of(OneRegion(), 1)
    np.testing.assert_allclose(road.road(score, image, order_of(values), 0), expected, atol=1e-5)


def test_noise_is_small_repeatable_and_only_where_pixels_are_missing() -> None:
    image, missing = picture(), truth() > 0
    filled = [road.without(image, missing, np.random.default_rng(2)) for _ in range(2)]
    assert torch.equal(filled[0], filled[1])
    assert torch.equal(filled[0][:, ~missing], image[:, ~missing])
    added = filled[0].double().numpy() - road.imputed(image.double().numpy(), missing)
    assert added[:, missing].std() == pytest.approx(road.NOISE, rel=0.2)
