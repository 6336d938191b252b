"""The scores that a checkpoint carries and a results page quotes."""

from collections.abc import Sequence
from typing import TypedDict

import numpy.typing as npt

from transxv2s.scoring.bootstrap import DRAWS, Interval, lesion_bootstrap, lesion_numbers
from transxv2s.scoring.malignancy import Malignancy, malignancy
from transxv2s.scoring.metrics import ClassScore, score
from transxv2s.taxonomy import Taxonomy


class ClassIntervals(TypedDict):
    """Recall, F1 and AUC of one class with intervals over lesions."""

    recall: Interval
    f1: Interval
    auc: Interval


class Report(TypedDict):
    """Headline scores with intervals, scores by class, and on how much they rest; ready for JSON.

    The scores without interval are those of `Scores`. All intervals are of 95 %.
    """

    balanced_accuracy: Interval
    accuracy: Interval
    macro_f1: Interval
    macro_auc: Interval
    macro_precision: float
    macro_specificity: float | None
    macro_average_precision: float
    ece: float | None
    brier: float | None
    nll: float | None
    malignancy: Malignancy
    per_class: dict[str, ClassScore]
    intervals: dict[str, ClassIntervals]
    absent: list[str]
    never_predicted: list[str]
    confusion: list[list[int]]
    images: int
    lesions: int


def report(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    lesions: Sequence[object],
    taxonomy: Taxonomy,
    *,
    draws: int = DRAWS,
    adjusted: npt.ArrayLike | None = None,
) -> Report:
    """Scores predictions (N, K) against labels (N,), with 95 % intervals over lesions (N,).

    Which class is named tells `adjusted` (N, K), if it is given, by its greatest value.

    Raises:
        InputError: The arguments do not fit each other or the taxonomy.
    """
    scores = score(probabilities, labels, taxonomy, adjusted)
    intervals = lesion_bootstrap(probabilities, labels, lesions, draws=draws, adjusted=adjusted)
    of_classes = zip(taxonomy.codes, intervals["recall"], intervals["f1"], intervals["auc"], strict=True)
    return {
        "balanced_accuracy": intervals["balanced_accuracy"],
        "accuracy": intervals["accuracy"],
        "macro_f1": intervals["macro_f1"],
        "macro_auc": intervals["macro_auc"],
        "macro_precision": scores["macro_precision"],
        "macro_specificity": scores["macro_specificity"],
        "macro_average_precision": scores["macro_average_precision"],
        "ece": scores["ece"],
        "brier": scores["brier"],
        "nll": scores["nll"],
        "malignancy": malignancy(probabilities, labels, lesions, taxonomy, draws=draws),
        "per_class": scores["per_class"],
        "intervals": {code: {"recall": recall, "f1": f1, "auc": auc} for code, recall, f1, auc in of_classes},
        "absent": scores["absent"],
        "never_predicted": scores["never_predicted"],
        "confusion": scores["confusion"],
        "images": scores["images"],
        "lesions": int(lesion_numbers(lesions, scores["images"]).max()) + 1,
    }
