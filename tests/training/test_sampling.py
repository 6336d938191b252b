"""Sampling: reproducible orders, frequencies as promised, and a start in the middle of an epoch."""

import math
from collections import Counter
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transxv2s.training.sampling import EpochSampler, image_weights

LABELS = [0] * 900 + [1] * 100 + [2] * 4
UNEQUAL = image_weights(LABELS, "square_root")


def order(sampler: EpochSampler, epoch: int = 0) -> list[int]:
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize("weights", [torch.ones(50), UNEQUAL])
def test_the_order_is_fixed_by_seed_and_epoch(weights: torch.Tensor) -> None:
    orders = {
        (seed, epoch): tuple(order(EpochSampler(weights, seed), epoch))
        for seed, epoch in product(range(3), repeat=2)
    }
    assert len(set(orders.values())) == 9
    for (seed, epoch), expected in orders.items():
        assert tuple(order(EpochSampler(weights, seed), epoch)) == expected


def test_equal_weights_give_a_permutation() -> None:
    assert sorted(order(EpochSampler(image_weights([0, 0, 0, 1], "none"), 0))) == [0, 1, 2, 3]


@given(size=st.integers(1, 60), start=st.integers(0, 60), epoch=st.integers(0, 5), balanced=st.booleans())
def test_start_skips_exactly_the_images_already_seen(
    size: int, start: int, epoch: int, balanced: bool
) -> None:
    weights = torch.arange(1.0, size + 1) if balanced else torch.ones(size)
    whole = order(EpochSampler(weights, 7), epoch)
    resumed = EpochSampler(weights, 7)
    resumed.start = start
    assert order(resumed, epoch) == whole[start:]
    assert order(resumed, epoch) == whole  # only the first epoch after a resumption is shorter


def test_an_epoch_always_has_as_many_images_as_the_set() -> None:
    sampler = EpochSampler(UNEQUAL, 0)
    sampler.start = 5
    assert len(sampler) == len(LABELS)  # Lightning counts the batches of whole epochs


@pytest.mark.parametrize(
    ("sampling", "share"),
    [
        ("none", [900 / 1004, 100 / 1004, 4 / 1004]),
        ("square_root", [30 / 42, 10 / 42, 2 / 42]),
        ("balanced", [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_classes_come_as_often_as_promised(sampling: str, share: list[float]) -> None:
    weights = image_weights(LABELS, sampling)  # type: ignore[arg-type]
    sizes = torch.bincount(torch.tensor(LABELS), weights)
    assert (sizes / sizes.sum()).tolist() == pytest.approx(share)


@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=40))
@pytest.mark.parametrize("sampling", ["none", "square_root", "balanced"])
def test_weights_are_their_definition(sampling: Any, labels: list[int]) -> None:
    """Also for classes that are absent."""
    sizes = [labels.count(label) for label in labels]
    expected = {
        "none": [1 for n in sizes],
        "square_root": [1 / math.sqrt(n) for n in sizes],
        "balanced": [1 / n for n in sizes],
    }
    assert image_weights(labels, sampling).tolist() == pytest.approx(expected[sampling])


def test_drawn_classes_meet_the_expectation() -> None:
    sampler = EpochSampler(UNEQUAL, 0)
    drawn = Counter(LABELS[i] for epoch in range(30) for i in order(sampler, epoch))
    total = sum(drawn.values())
    for label, share in enumerate((30 / 42, 10 / 42, 2 / 42)):
        deviation = (share * (1 - share) / total) ** 0.5
        assert abs(drawn[label] / total - share) < 4 * deviation
