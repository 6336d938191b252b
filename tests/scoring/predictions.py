"""Made-up predictions shared by the tests of this folder."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Predictions(NamedTuple):
    probabilities: npt.NDArray[np.float64]
    labels: npt.NDArray[np.intp]
    lesions: list[str]


def predictions(images: int, lesions: int, seed: int, classes: int = 8) -> Predictions:
    """Skilled but imperfect predictions of unequal classes; rounding makes ties frequent."""
    random = np.random.default_rng(seed)
    labels = np.minimum(random.geometric(0.35, images) - 1, classes - 1)
    logits = random.normal(size=(images, classes)) + 1.5 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    names = [f"lesion-{n}" for n in random.integers(lesions, size=images)]
    return Predictions(probabilities.round(2), labels.astype(np.intp), names)


MANY = predictions(images=600, lesions=300, seed=1)
FEW = predictions(images=40, lesions=12, seed=2)  # some draws lack a class
