"""What an engine costs: against the general comparison of two models over lesions."""

import numpy as np
import pytest
from numpy.typing import NDArray

from transxv2s.bench.accuracy import Labelled, price
from transxv2s.scoring import paired_difference
from transxv2s.scoring.confusion import balanced_accuracy

CLASSES = 4


@pytest.fixture
def labelled() -> Labelled:
    """60 images of 40 lesions; a few of the last class."""
    random = np.random.default_rng(0)
    of_lesions = random.choice(CLASSES, 40, p=(0.5, 0.3, 0.15, 0.05))
    of_lesions[:2] = CLASSES - 1
    lesion = np.concatenate([np.arange(40), random.integers(0, 40, 20)])
    names = [f"lesion {number}" for number in lesion]
    return Labelled(np.zeros((60, 8, 8, 3), np.uint8), of_lesions[lesion], names)


def scores(labels: NDArray[np.int64], sharpness: float, seed: int) -> NDArray[np.float64]:
    made = np.random.default_rng(seed).random((len(labels), CLASSES))
    made[np.arange(len(labels)), labels] += sharpness
    return np.asarray(made / made.sum(1, keepdims=True))


def test_the_change_and_its_interval_are_those_of_two_models(labelled: Labelled) -> None:
    mine, reference = (scores(labelled.labels, sharpness, 1) for sharpness in (0.3, 0.5))
    found = price(mine, reference, labelled)

    expected = paired_difference(mine, reference, labelled.labels, labelled.lesions)["balanced_accuracy"]
    assert found.balanced_accuracy_change == pytest.approx(expected["value"])
    assert found.balanced_accuracy_change_low == pytest.approx(expected["low"])
    assert found.balanced_accuracy_change_high == pytest.approx(expected["high"])
    assert found.balanced_accuracy_change_low != found.balanced_accuracy_change_high
    assert found.agreement == np.mean(mine.argmax(1) == reference.argmax(1))
    assert found.balanced_accuracy == balanced_accuracy(mine, labelled.labels)


def test_an_engine_that_names_the_same_classes_costs_nothing(labelled: Labelled) -> None:
    reference = scores(labelled.labels, 0.3, 1)
    found = price(reference**2, reference, labelled)

    assert found.agreement == 1
    assert found.balanced_accuracy_change == found.balanced_accuracy_change_low == 0
    assert found.balanced_accuracy_change_high == 0


def test_it_says_on_how_many_images(labelled: Labelled) -> None:
    reference = scores(labelled.labels, 0.3, 1)
    found = price(reference, reference, labelled)

    assert found.labelled_images == 60
    assert found.rarest_class_images == min((labelled.labels == k).sum() for k in range(CLASSES)) > 0
    assert labelled.images_of_rarest_class(CLASSES + 1) == 0
