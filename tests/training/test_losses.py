"""Losses against plain loops, and against PyTorch's, torchvision's and scikit-learn's."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from transxv2s.training.losses import (
    LOSSES,
    ClassBalanced,
    CrossEntropy,
    Focal,
    LogitAdjusted,
    Weighted,
    class_weights,
)

SIZES = [400, 30, 0, 7, 120]
CLASSES = len(SIZES)
LABELS = [0, 0, 1, 3, 4, 0, 3]


@pytest.fixture
def logits() -> Tensor:
    return 3 * torch.randn(len(LABELS), CLASSES, generator=torch.Generator().manual_seed(0))


def one_hot(label: int) -> list[float]:
    return [float(label == c) for c in range(CLASSES)]


def blended(labels: list[int], share: float = 0.3) -> list[list[float]]:
    """As mixup makes them: a share of each label goes to the label before it."""
    before = labels[-1:] + labels[:-1]
    pairs = zip(map(one_hot, labels), map(one_hot, before), strict=True)
    return [[(1 - share) * a + share * b for a, b in zip(own, other, strict=True)] for own, other in pairs]


def weights_of(loss: dict[str, Any]) -> list[float]:
    """By the definitions, in plain Python."""
    present = [n for n in SIZES if n]
    if loss["name"] == "weighted":
        return [sum(SIZES) / (len(present) * n) if n else 0.0 for n in SIZES]
    if loss["name"] == "class_balanced":
        effective = {n: sum(loss["beta"] ** k for k in range(n)) for n in present}  # (1 − βⁿ) / (1 − β)
        mean = sum(1 / e for e in effective.values()) / len(present)
        return [1 / effective[n] / mean if n else 0.0 for n in SIZES]
    return [1.0] * CLASSES


def offset(loss: dict[str, Any], size: int) -> float:
    return loss["tau"] * math.log(size / sum(SIZES)) if "tau" in loss and size else 0.0


def expected(loss: dict[str, Any], logits: Tensor, targets: list[list[float]]) -> float:
    """Image by image and class by class."""
    weights, smoothing = weights_of(loss), loss.get("label_smoothing", 0.0)
    total = mass = 0.0
    for row, target in zip(logits.double().tolist(), targets, strict=True):
        powers = [math.exp(z + offset(loss, n)) for z, n in zip(row, SIZES, strict=True)]
        for power, t, weight in zip(powers, target, weights, strict=True):
            p = power / sum(powers)
            smooth = (1 - smoothing) * t + smoothing / CLASSES
            total -= weight * (1 - p) ** loss.get("gamma", 0.0) * smooth * math.log(p)
            mass += weight * t
    return total / mass


SETTINGS: list[dict[str, Any]] = [
    {"name": "cross_entropy", "label_smoothing": 0.0},
    {"name": "cross_entropy", "label_smoothing": 0.2},
    {"name": "weighted", "label_smoothing": 0.1},
    {"name": "focal", "gamma": 2.0},
    {"name": "focal", "gamma": 0.5},
    {"name": "class_balanced", "beta": 0.99, "label_smoothing": 0.1},
    {"name": "class_balanced", "beta": 0.0, "label_smoothing": 0.0},
    {"name": "logit_adjusted", "tau": 1.0, "label_smoothing": 0.0},
    {"name": "logit_adjusted", "tau": 0.5, "label_smoothing": 0.1},
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_loss_is_its_definition(setting: dict[str, Any], logits: Tensor) -> None:
    loss = LOSSES[setting["name"]].model_validate(setting).build(torch.tensor(SIZES))
    hard = [one_hot(label) for label in LABELS]
    assert loss(logits, torch.tensor(LABELS)).item() == pytest.approx(
        expected(setting, logits, hard), rel=1e-5
    )
    soft = blended(LABELS)
    found = loss(logits, torch.tensor(soft)).item()
    assert found == pytest.approx(expected(setting, logits, soft), rel=1e-5)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_positions_and_one_hot_vectors_are_the_same(setting: dict[str, Any], logits: Tensor) -> None:
    loss = LOSSES[setting["name"]].model_validate(setting).build(torch.tensor(SIZES))
    labels = torch.tensor(LABELS)
    torch.testing.assert_close(loss(logits, labels), loss(logits, F.one_hot(labels, CLASSES).float()))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("extreme", [0.0, 60.0, 1000.0])
def test_values_and_gradients_stay_finite(name: str, extreme: float) -> None:
    """Also for absent classes, for certainty right or wrong, and for a batch of an absent class alone."""
    logits = (extreme * torch.eye(CLASSES)).requires_grad_()
    for labels in (list(range(CLASSES)), [4, 3, 2, 1, 0], [2] * CLASSES):
        options = {"gamma": 0.5} if name == "focal" else {}
        loss = LOSSES[name].model_validate(options).build(torch.tensor(SIZES))(logits, torch.tensor(labels))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weighted_is_pytorchs(smoothing: float, logits: Tensor) -> None:
    sizes, labels = torch.tensor(SIZES), torch.tensor(LABELS)
    judge = F.cross_entropy(logits, labels, class_weights(sizes), label_smoothing=smoothing)
    torch.testing.assert_close(Weighted(label_smoothing=smoothing).build(sizes)(logits, labels), judge)
    plain = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    torch.testing.assert_close(CrossEntropy(label_smoothing=smoothing).build(sizes)(logits, labels), plain)


@given(score=st.floats(-8, 8), label=st.integers(0, 1), gamma=st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
def test_focal_of_two_classes_is_torchvisions(score: float, label: int, gamma: float) -> None:
    logits = torch.tensor([[0.0, score]]).double()
    found = Focal(gamma=gamma).build(torch.tensor([1, 1]))(logits, torch.tensor([label]))
    judge = sigmoid_focal_loss(logits[:, 1], torch.tensor([label]).double(), alpha=-1, gamma=gamma)
    torch.testing.assert_close(found, judge[0], rtol=1e-6, atol=0)


@given(labels=st.lists(st.integers(0, 7), min_size=1, max_size=60))
def test_class_weights_are_scikit_learns(labels: list[int]) -> None:
    sizes = torch.bincount(torch.tensor(labels), minlength=8)
    present = np.unique(labels)
    expected = np.zeros(8)
    expected[present] = compute_class_weight("balanced", classes=present, y=np.array(labels))
    np.testing.assert_allclose(class_weights(sizes), expected, rtol=1e-6)


def test_towards_beta_1_class_balanced_weights_are_inverse_frequencies() -> None:
    sizes = torch.tensor(SIZES)
    found, inverse = ClassBalanced(beta=1 - 1e-9).weights(sizes), class_weights(sizes).double()
    torch.testing.assert_close(found / found.sum(), inverse / inverse.sum(), rtol=1e-5, atol=0)


def test_logit_adjustment_lets_plain_logits_be_balanced() -> None:
    """Where images say nothing, the best plain logits of all classes are equal (Menon et al., eq. 10)."""
    sizes = [400, 30, 7, 120]
    labels = torch.tensor([label for label, size in enumerate(sizes) for _ in range(size)])
    logits = torch.zeros(4, requires_grad=True)
    loss = LogitAdjusted(label_smoothing=0).build(torch.tensor(sizes))(logits.expand(len(labels), 4), labels)
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient, torch.zeros(4), atol=1e-6, rtol=0)
