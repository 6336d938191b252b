"""Confusion matrices and the rates that follow from them."""

from typing import NamedTuple

import numpy as np

from transxv2s.scoring.arrays import Floats, Integers, mean_defined, ratio


class Rates(NamedTuple):
    """What follows from a confusion matrix: overall rates (...) and class rates (..., K).

    Class rates are NaN for a class without images; precision also for a class that was never predicted, which
    counts as 0 in `macro_precision`, as a model must not gain by leaving a class out.
    """

    accuracy: Floats
    balanced_accuracy: Floats
    macro_precision: Floats
    macro_f1: Floats
    macro_specificity: Floats
    recall: Floats
    precision: Floats
    f1: Floats
    specificity: Floats


def outcomes(probabilities: Floats, labels: Integers) -> Integers:
    """Cell of the flattened confusion matrix (K, K+1) that each image (N,) falls into.

    An argmax tie is undecided and falls into the last column, as in `isic-challenge-scoring`.
    """
    classes = probabilities.shape[1]
    tied = (probabilities == probabilities.max(1, keepdims=True)).sum(1) > 1
    cells: Integers = labels * (classes + 1) + np.where(tied, classes, probabilities.argmax(1))
    return cells


def confusions(probabilities: Floats, labels: Integers, group: Integers) -> Floats:
    """Flattened confusion matrix of each group of images: (G, K·(K+1)) for group numbers (N,) from 0."""
    cells = probabilities.shape[1] * (probabilities.shape[1] + 1)
    flat = group * cells + outcomes(probabilities, labels)
    counts = np.bincount(flat, minlength=(int(group.max()) + 1) * cells)
    return counts.reshape(-1, cells).astype(np.float64)


def balanced_accuracy(scores: Floats, labels: Integers) -> float:
    """Mean recall over the classes that labels (N,) name, the greatest of scores (N, K) being named."""
    classes = scores.shape[1]
    confusion = confusions(scores, labels, np.zeros_like(labels))
    return float(rates(confusion.reshape(classes, classes + 1)).balanced_accuracy)


def rates(confusion: Floats) -> Rates:
    """Rates of confusion matrices (..., K, K+1), rows true, columns predicted and undecided."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    images, predicted = confusion.sum(-1), confusion[..., :-1].sum(-2)
    others = images.sum(-1, keepdims=True) - images
    absent = images == 0
    recall, precision = ratio(hits, images), np.where(absent, np.nan, ratio(hits, predicted))
    f1 = np.where(absent, np.nan, ratio(2 * hits, images + predicted))
    specificity = np.where(absent, np.nan, ratio(others - (predicted - hits), others))
    return Rates(
        accuracy=ratio(hits.sum(-1), images.sum(-1)),
        balanced_accuracy=mean_defined(recall),
        macro_precision=mean_defined(np.where(~absent & (predicted == 0), 0.0, precision)),
        macro_f1=mean_defined(f1),
        macro_specificity=mean_defined(specificity),
        recall=recall,
        precision=precision,
        f1=f1,
        specificity=specificity,
    )
