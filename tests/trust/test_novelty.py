"""Scores of novelty against scipy, torch and brute force, on Gaussians with known answers, in files."""

import math

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors.numpy import load, save
from scipy.spatial.distance import mahalanobis  # type: ignore[import-untyped]
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from transxv2s.errors import CheckpointError, InputError
from transxv2s.evaluation.novelty_figure import distributions
from transxv2s.trust.novelty import (
    SCORES,
    Energy,
    Kind,
    Mahalanobis,
    Neighbours,
    Novelty,
    Softmax,
    fit_threshold,
    from_bytes,
    to_bytes,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Batch = tuple[Floats, Floats, Integers]

KINDS = sorted(SCORES)
WITH_FEATURES: list[Kind] = ["mahalanobis", "neighbours"]
NOVELTY = {"kind": "energy", "threshold": -2.5, "share": 0.05, "fitted_on": "validation part, 200 images"}


def batch(seed: int, images: int, classes: int = 4, width: int = 6, spread: float = 1.0) -> Batch:
    """Correlated Gaussian classes whose means are the same for every seed, and logits that fit them."""
    means = np.random.default_rng(99).normal(0, 3, (classes, width))
    mixing = np.random.default_rng(98).normal(0, spread, (width, width))
    generator = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    features = means[labels] + generator.normal(0, 1, (images, width)) @ mixing
    return features @ means.T, features, labels


def tied_covariance(features: Floats, labels: Integers) -> Floats:
    means = np.array([features[labels == y].mean(axis=0) for y in labels])
    return np.asarray(LedoitWolf(assume_centered=True).fit(features - means).covariance_)


def nearest(features: Floats, means: list[Floats], covariance: Floats) -> list[float]:
    inverse = np.linalg.inv(covariance)
    return [min(mahalanobis(x, mean, inverse) ** 2 for mean in means) for x in features]


def test_softmax_and_energy_are_torchs() -> None:
    logits, features, labels = batch(0, 40)
    z = torch.from_numpy(logits)
    softmax = Softmax.fit(logits, features, labels).scores(logits, features)
    np.testing.assert_allclose(softmax, 1 - torch.softmax(z, 1).amax(1).numpy(), atol=1e-15)
    energy = Energy.fit(logits, features, labels).scores(logits, features)
    np.testing.assert_allclose(energy, -torch.logsumexp(z, 1).numpy(), rtol=1e-14)
    warm = Energy(np.array(2.5, np.float32)).scores(logits, features)
    np.testing.assert_allclose(warm, -2.5 * torch.logsumexp(z / 2.5, 1).numpy(), rtol=1e-14)


def test_huge_logits_do_not_overflow() -> None:
    logits, features = np.array([[1e4, 0.0], [-1e4, -1e4]]), np.ones((2, 3))
    assert Energy(np.array(1, np.float32)).scores(logits, features).tolist() == [-1e4, 1e4 - math.log(2)]
    assert Softmax().scores(logits, features).tolist() == [0.0, 0.5]


def test_mahalanobis_is_scipys_over_all_classes() -> None:
    training, unseen = batch(1, 200), batch(2, 30)
    _, features, labels = training
    means = [features[labels == k].mean(axis=0) for k in range(4)]
    expected = nearest(unseen[1], means, tied_covariance(features, labels))
    np.testing.assert_allclose(Mahalanobis.fit(*training).scores(*unseen[:2]), expected, rtol=1e-4)


def test_distance_from_a_known_gaussian_has_its_chi_squared_mean() -> None:
    """Of 12 features the squared distance of a further image of the class itself is χ² with mean 12."""
    training, unseen = batch(3, 40_000, classes=1, width=12), batch(4, 4_000, classes=1, width=12)
    distance = Mahalanobis.fit(*training).scores(*unseen[:2])
    assert abs(distance.mean() - 12) < 4 * math.sqrt(24 / 4_000)


def test_a_point_at_a_known_place() -> None:
    """Two classes at ±5 on the first axis, unit covariance: a point 3 aside of a mean has the distance 9."""
    generator = np.random.default_rng(0)
    labels = np.arange(200_000) % 2
    features = generator.normal(0, 1, (200_000, 2)) + np.stack([10 * labels - 5, 0 * labels], axis=1)
    score = Mahalanobis.fit(features, features, labels)
    found = score.scores(np.zeros((2, 2)), np.array([[5.0, 3.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [9, 25], rtol=0.02)


def test_neighbours_are_those_of_brute_force() -> None:
    training, unseen = batch(5, 60), batch(6, 20)
    unit = training[1] / np.sqrt((training[1] ** 2).sum(axis=1, keepdims=True))
    expected = [sorted(math.dist(x / math.hypot(*x), known) for known in unit)[10 - 1] for x in unseen[1]]
    np.testing.assert_allclose(Neighbours.fit(*training).scores(*unseen[:2]), expected, rtol=1e-6)


def test_length_does_not_matter_to_neighbours() -> None:
    training, (logits, features, _) = batch(5, 60), batch(6, 20)
    score = Neighbours.fit(*training)
    np.testing.assert_allclose(score.scores(logits, 7 * features), score.scores(logits, features), rtol=1e-9)
    assert np.isfinite(score.scores(logits, 0 * features)).all()


def test_the_bank_is_balanced_and_holds_images_of_training() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [3000, 500, 2])
    features = generator.normal(size=(len(labels), 4)) + 50 * np.eye(4)[labels]
    bank = Neighbours.fit(np.zeros((len(labels), 3)), features, labels).bank
    assert np.bincount(bank.argmax(axis=1)).tolist() == [320, 320, 2]
    unit = (features / np.linalg.norm(features, axis=1)[:, None]).astype(np.float32)
    assert {row.tobytes() for row in bank} <= {row.tobytes() for row in unit}


@pytest.mark.parametrize("kind", WITH_FEATURES)
def test_what_lies_elsewhere_is_stranger(kind: Kind) -> None:
    score, known = SCORES[kind].fit(*batch(7, 400, spread=0.5)), batch(8, 100, spread=0.5)
    strange = -known[1][::-1]  # on the other side of the origin
    values = score.scores(np.tile(known[0], (2, 1)), np.concatenate([known[1], strange]))
    assert roc_auc_score(np.repeat([0, 1], 100), values) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_the_same_after_the_file(kind: Kind) -> None:
    training, unseen = batch(9, 100), batch(10, 25)
    score = SCORES[kind].fit(*training)
    again = from_bytes(kind, to_bytes(score))
    assert type(again) is type(score)
    assert again.scores(*unseen[:2]).tolist() == score.scores(*unseen[:2]).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_of_the_real_width_stays_under_two_megabytes(kind: Kind) -> None:
    content = to_bytes(SCORES[kind].fit(*batch(11, 1200, classes=8, width=512)))
    assert len(content) <= 2_000_000
    assert all(array.dtype == np.float32 for array in load(content).values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_with_a_single_image_and_one_with_none(kind: Kind) -> None:
    logits, features, labels = batch(12, 100)
    kept = (labels < 2) | (np.arange(100) == 2)  # class 2 keeps one image, class 3 none
    score = SCORES[kind].fit(logits[kept], features[kept], labels[kept])
    assert np.isfinite(score.scores(logits, features)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_identical_features(kind: Kind) -> None:
    score = SCORES[kind].fit(np.zeros((20, 3)), np.full((20, 5), 0.7), np.arange(20) % 3)
    same, other = score.scores(np.zeros((2, 3)), np.array([[0.7] * 5, [0.7] * 4 + [-0.7]]))
    assert math.isfinite(same)
    assert math.isfinite(other)
    if kind in ("mahalanobis", "neighbours"):
        assert same == pytest.approx(0, abs=1e-5)
        assert other > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_scored_is_refused(kind: Kind) -> None:
    logits, features, labels = batch(13, 50)
    score = SCORES[kind].fit(logits, features, labels)
    for bad in (np.nan, np.inf):
        broken = features.copy()
        broken[3, 2] = bad
        with pytest.raises(InputError, match="NaN"):
            score.scores(logits, broken)
        with pytest.raises(InputError, match="NaN"):
            SCORES[kind].fit(logits, broken, labels)
    for wrong in (features[:-1], features[0], features[:, :0]):
        with pytest.raises(InputError, match="must be"):
            score.scores(logits, wrong)
    for not_labels in (labels[:-1], labels.astype(float), labels + 1, labels - 1):
        with pytest.raises(InputError, match="Labels"):
            SCORES[kind].fit(logits, features, not_labels)
    with pytest.raises(InputError, match="N ≥ 1"):
        SCORES[kind].fit(logits[:0], features[:0], labels[:0])


@pytest.mark.parametrize("kind", WITH_FEATURES)
def test_features_of_another_network_are_refused(kind: Kind) -> None:
    logits, features, labels = batch(13, 50)
    with pytest.raises(InputError, match="fitted to 6 features, not 5"):
        SCORES[kind].fit(logits, features, labels).scores(logits, features[:, :5])


def test_a_file_of_another_kind_or_damaged_is_refused() -> None:
    content = to_bytes(Mahalanobis.fit(*batch(14, 50)))
    spoilt = save({name: np.full_like(array, np.nan) for name, array in load(content).items()})
    double = save({name: array.astype(np.float64) for name, array in load(content).items()})
    for kind, wrong in [("neighbours", content), ("mahalanobis", content[:-9]), ("mahalanobis", b"")]:
        with pytest.raises(CheckpointError, match=r"novelty\.safetensors is damaged"):
            from_bytes(kind, wrong)  # type: ignore[arg-type]
    for wrong in (spoilt, double):
        with pytest.raises(CheckpointError, match="finite numbers in float32"):
            from_bytes("mahalanobis", wrong)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("images", [99, 100, 250])
def test_threshold_is_the_smallest_that_keeps_the_rank(images: int, share: float) -> None:
    """The least score t of the n with (number of scores ≤ t) ≥ (n + 1)(1 − share)."""
    scores = np.random.default_rng(images).normal(size=images)
    percent = round(100 * share)
    enough = [t for t in scores if 100 * int((scores <= t).sum()) >= (images + 1) * (100 - percent)]
    assert fit_threshold(scores, share) == min(enough)
    assert (scores > min(enough)).mean() <= share


def test_known_images_exceed_the_threshold_as_often_as_the_theory_says() -> None:
    """Over sets of 39 images a further one exceeds it with probability exactly 1 − ⌈40·0.95⌉/40 = 0.05."""
    draws = np.random.default_rng(0).normal(size=(20_000, 40))
    exceeded = np.array([row[39] > fit_threshold(row[:39], 0.05) for row in draws])
    assert abs(exceeded.mean() - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 20_000)


def test_ties_are_not_referred() -> None:
    assert fit_threshold(np.ones(100)) == 1
    assert not Novelty.model_validate(NOVELTY | {"threshold": 1.0}).is_novel([1.0])[0]


def test_thresholds_that_cannot_be_are_refused() -> None:
    assert math.isfinite(fit_threshold(np.arange(19), 0.05))
    with pytest.raises(InputError, match="takes 19 known images or more, not 18"):
        fit_threshold(np.arange(18), 0.05)
    with pytest.raises(InputError, match="finite"):
        fit_threshold([math.nan] * 50)
    for share in (0.0, 1.0, 5.0, math.nan):
        with pytest.raises(InputError, match="between 0 and 1"):
            fit_threshold(np.arange(50), share)


def test_novelty_goes_through_json_and_refuses_what_it_does_not_know() -> None:
    novelty = Novelty.model_validate(NOVELTY)
    assert Novelty.model_validate_json(novelty.model_dump_json()) == novelty
    assert novelty.is_novel([-2.6, -2.5, -2.4]).tolist() == [False, False, True]
    changes = ({"kind": "guess"}, {"threshold": math.inf}, {"share": 0.0}, {"extra": 1})
    for change in changes:
        with pytest.raises(ValidationError):
            Novelty.model_validate(NOVELTY | change)


def test_figure_says_how_much_of_each_group_is_referred() -> None:
    unknown = {"noise": np.array([1.0, 3.0, 4.0, 5.0]), "blank": np.array([0.0, 0.5])}
    figure = distributions(np.linspace(0, 2, 101), unknown, 1.91, "energy")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert [text.split(",")[0] for text in texts] == ["known", "noise", "blank"]
    assert [text.split()[-2] for text in texts] == ["5", "75", "0"]
    bars = [[bar for bar in axes.patches if isinstance(bar, Rectangle)] for axes in figure.axes]
    assert [sum(bar.get_height() for bar in row) for row in bars] == pytest.approx([1, 1, 1])
