"""The scores that a checkpoint carries and a results page quotes."""

from collections.abc import Sequence
from typing import TypedDict

import numpy.typing as npt

from transxv2s.scoring.bootstrap import Interval, lesion_bootstrap, lesion_numbers
from transxv2s.scoring.metrics import ClassScore, score
from transxv2s.taxonomy import Taxonomy


class Report(TypedDict):
    """Headline scores with intervals, scores by class, and on how much they rest; ready for JSON."""

    balanced_accuracy: Interval
    accuracy: Interval
    macro_f1: Interval
    macro_auc: Interval
    per_class: dict[str, ClassScore]
    images: int
    lesions: int


def report(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    taxonomy: Taxonomy,
    draws: int = 2000,
) -> Report:
    """Scores predictions (N, K) against labels (N,), with 95 % intervals over lesions (N,).

    Raises:
        InputError: The arguments do not fit each other or the taxonomy.
    """
    scores = score(probabilities, labels, taxonomy)
    intervals = lesion_bootstrap(probabilities, labels, lesions, draws=draws)
    return {
        "balanced_accuracy": intervals["balanced_accuracy"],
        "accuracy": intervals["accuracy"],
        "macro_f1": intervals["macro_f1"],
        "macro_auc": intervals["macro_auc"],
        "per_class": scores["per_class"],
        "images": scores["images"],
        "lesions": int(lesion_numbers(lesions, scores["images"]).max()) + 1,
    }
