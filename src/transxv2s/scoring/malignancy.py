"""Two questions of the clinic, asked of the class probabilities: is it malignant, and must it be seen?

Malignant are the classes whose `behaviour` says so (MEL, BCC, SCC); the second question counts precancerous
ones (AK) with them. AKIEC, which joins AK and SCC, counts as precancerous, so that numbers of different
taxonomies are not the same quantity. Images whose true class is UNK are neither positive nor negative.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from transxv2s.scoring.arrays import Booleans, Floats, Integers, checked_for, ratio
from transxv2s.scoring.bootstrap import DRAWS, LEVEL, Interval, bootstrap, lesion_numbers
from transxv2s.scoring.ranking import OneVersusRest
from transxv2s.taxonomy import Behaviour, Taxonomy

THRESHOLD = 0.5

MALIGNANT: tuple[Behaviour, ...] = ("malignant",)
MALIGNANT_OR_PRECANCEROUS: tuple[Behaviour, ...] = ("malignant", "precancerous")


class BinaryScore(TypedDict):
    """The classes counted as positive against all others, with intervals over lesions.

    An image is called where the summed probability of the counted classes reaches `threshold`. Values are
    None where there is no positive (sensitivity), no negative (specificity), or either is missing (AUC).
    """

    counted: list[str]
    threshold: float
    sensitivity: Interval
    specificity: Interval
    auc: Interval
    positive_images: int
    negative_images: int


class Malignancy(TypedDict):
    """Both ways of counting actinic keratosis."""

    malignant: BinaryScore
    malignant_or_precancerous: BinaryScore


class Binary(NamedTuple):
    """A question with two answers, asked of every image (N,).

    Attributes:
        positive: The images whose true class is counted.
        suspicion: Summed probability of the counted classes.
        called: The images whose suspicion reaches the threshold.
    """

    positive: Booleans
    suspicion: Floats
    called: Booleans

    @classmethod
    def of(cls, p: Floats, y: Integers, counted: Booleans, threshold: float) -> "Binary":
        """From probabilities (N, K), labels (N,) and which classes are counted (K,)."""
        suspicion = p[:, counted].sum(1)
        return cls(counted[y], suspicion, suspicion >= threshold)

    def rates(self, weights: Floats) -> Floats:
        """Sensitivity and specificity (..., 2) for weights of the images (..., N); NaN where undefined."""
        right = self.called == self.positive
        truth = np.stack([self.positive, ~self.positive], axis=-1)
        return ratio(weights @ (truth & right[:, None]), weights @ truth.astype(np.float64))


def behaving(taxonomy: Taxonomy, behaviours: Sequence[Behaviour]) -> Booleans:
    """Which classes (K,) have one of the behaviours."""
    return np.array([c.behaviour in behaviours for c in taxonomy.classes])


def malignancy(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    taxonomy: Taxonomy,
    *,
    threshold: float = THRESHOLD,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> Malignancy:
    """Scores malignant against the rest, and malignant or precancerous against the rest.

    Args:
        probabilities: (N, K) in taxonomy order.
        labels: (N,), the true class of each image as its position in the taxonomy.
        lesions: (N,), which lesion each image shows.
        taxonomy: Names the K classes and their behaviour.
        threshold: Of the summed probability; not to be chosen on the images scored here.
        draws: How often the lesions are resampled with replacement.
        seed: Of the resampling.
        level: Share of the draws inside the interval.

    Raises:
        InputError: The arguments do not fit each other.
    """
    p, y = checked_for(taxonomy, probabilities, labels)
    lesion = lesion_numbers(lesions, len(y))
    known = ~behaving(taxonomy, ("unknown",))[y]

    def scored(behaviours: tuple[Behaviour, ...]) -> BinaryScore:
        counted = behaving(taxonomy, behaviours)
        binary = Binary.of(p, y, counted, threshold)
        order = OneVersusRest.of(binary.suspicion, binary.positive)

        def statistic(weights: Floats) -> Floats:
            of_images = weights[:, lesion] * known
            return np.concatenate([binary.rates(of_images), order.auc(of_images)[:, None]], axis=-1)

        count = int(lesion.max()) + 1
        sensitivity, specificity, auc = bootstrap(statistic, count, draws=draws, seed=seed, level=level)
        return {
            "counted": [code for code, is_counted in zip(taxonomy.codes, counted, strict=True) if is_counted],
            "threshold": threshold,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "auc": auc,
            "positive_images": int(binary.positive.sum()),
            "negative_images": int((~binary.positive & known).sum()),
        }

    return {
        "malignant": scored(MALIGNANT),
        "malignant_or_precancerous": scored(MALIGNANT_OR_PRECANCEROUS),
    }
