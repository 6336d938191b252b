import json

import numpy as np
import numpy.typing as npt
import pytest
import torch
from predictions import MANY
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from transxv2s.errors import InputError
from transxv2s.scoring import score
from transxv2s.scoring.ranking import OneVersusRest
from transxv2s.taxonomy import ISIC2019, Taxonomy

UNDECIDED = len(ISIC2019)


def decided(p: npt.NDArray[np.float64]) -> list[int]:
    """The official rule, image by image: the class of the one maximum, or undecided."""
    return [int(np.argmax(row)) if list(row).count(max(row)) == 1 else UNDECIDED for row in p]


def test_scikit_learn_agrees() -> None:
    p, y = MANY.probabilities, MANY.labels
    result, predicted, classes = score(p, y, ISIC2019), decided(p), range(8)
    assert UNDECIDED in predicted
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(y, predicted))
    recall, precision, f1 = (
        f(y, predicted, labels=classes, average=None, zero_division=0)
        for f in (sk.recall_score, sk.precision_score, sk.f1_score)
    )
    auc = [sk.roc_auc_score(y == c, p[:, c]) for c in classes]
    ap = [sk.average_precision_score(y == c, p[:, c]) for c in classes]
    assert result["balanced_accuracy"] == pytest.approx(recall.mean())
    specificity = [sk.recall_score(y != c, np.array(predicted) != c) for c in classes]
    assert result["macro_specificity"] == pytest.approx(np.mean(specificity))
    assert result["macro_precision"] == pytest.approx(precision.mean())
    assert result["macro_average_precision"] == pytest.approx(np.mean(ap))
    assert result["macro_f1"] == pytest.approx(f1.mean())
    assert result["macro_auc"] == pytest.approx(np.mean(auc))
    for c, one in enumerate(result["per_class"].values()):
        assert [one["recall"], one["precision"], one["f1"], one["auc"]] == pytest.approx(
            [recall[c], precision[c], f1[c], auc[c]]
        )
        assert one["average_precision"] == pytest.approx(ap[c])
        called = np.array(predicted) == c
        assert one["specificity"] == pytest.approx(specificity[c])
        assert one["predicted"] == called.sum()
        assert one["images"] == (y == c).sum()
    confusion = sk.confusion_matrix(y, predicted, labels=range(9))
    assert result["confusion"] == confusion[:8].tolist()
    assert result["images"] == len(y)


@pytest.mark.parametrize("decimals", [16, 1])
def test_sensitivity_at_specificity_is_the_best_of_all_thresholds(decimals: int) -> None:
    p, y = MANY.probabilities.round(decimals), MANY.labels
    for c, one in enumerate(score(p, y, ISIC2019)["per_class"].values()):
        own, other = p[y == c, c], p[y != c, c]
        for specificity, sensitivity in one["sensitivity_at"].items():
            allowed = [t for t in (*p[:, c], np.inf) if (other < t).mean() >= float(specificity)]
            assert sensitivity == max((own >= t).mean() for t in allowed)


def test_a_specificity_that_is_just_reached_counts() -> None:
    """Nine of ten negatives are below, which rounding must not lose: sensitivity 1 at 0.90, 0 at 0.95."""
    p = np.array([[0.5, 0.5]] * 2 + [[0.9, 0.1]] * 9 + [[0.1, 0.9]])
    result = score(p, [1, 1] + [0] * 10, Taxonomy("two", ISIC2019.classes[:2]))
    assert result["per_class"]["NV"]["sensitivity_at"] == {"0.90": 1, "0.95": 0}


@pytest.mark.parametrize("integer", [True, False])
def test_weights_of_ranking_scores_are_scikit_learns(integer: bool) -> None:
    random, (p, y, _) = np.random.default_rng(3), MANY
    weights = random.integers(0, 3, (5, len(y))).astype(float) if integer else random.random((5, len(y)))
    for c in range(8):
        order = OneVersusRest.of(p[:, c], y == c)
        for scored, judge in (
            (order.auc(weights), sk.roc_auc_score),
            (order.average_precision(weights), sk.average_precision_score),
        ):
            assert scored == pytest.approx([judge(y == c, p[:, c], sample_weight=w) for w in weights])
        for specificity in (0.9, 0.5):
            curves = [
                sk.roc_curve(y == c, p[:, c], sample_weight=w, drop_intermediate=False) for w in weights
            ]
            best = [max(tpr[1 - fpr >= specificity - 1e-12]) for fpr, tpr, _ in curves]
            assert order.sensitivity(weights, specificity) == pytest.approx(best)


def sound(seed: int = 0) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Distributions whose confidence is not all in one bin."""
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.full(8, 0.3), 500)
    return p, np.array([random.choice(8, p=row**1.5 / (row**1.5).sum()) for row in p])


def test_calibration_scores_agree_with_torchmetrics_and_scikit_learn() -> None:
    p, y = sound()
    result = score(p, y, ISIC2019)
    tensors = torch.from_numpy(p), torch.from_numpy(y)
    ece = multiclass_calibration_error(*tensors, num_classes=8, n_bins=15, norm="l1")
    assert result["ece"] == pytest.approx(float(ece), abs=1e-6)  # the judge counts in float32
    assert result["brier"] == pytest.approx(
        np.mean([((row - np.eye(8)[c]) ** 2).sum() for row, c in zip(p, y, strict=True)])
    )
    assert result["nll"] == pytest.approx(sk.log_loss(y, p, labels=range(8)))


def test_calibration_scores_at_the_ends() -> None:
    y = np.arange(8)
    best, worst = score(np.eye(8), y, ISIC2019), score(np.eye(8), (y + 1) % 8, ISIC2019)
    assert (best["ece"], best["brier"], best["nll"]) == (0, 0, 0)
    assert (worst["ece"], worst["brier"]) == (1, 2)
    assert worst["nll"] == pytest.approx(-np.log(np.finfo(float).eps))
    flat = score(np.full((8, 8), 1 / 8), y, ISIC2019)
    assert (flat["ece"], flat["brier"], flat["nll"]) == pytest.approx((1 / 8, 7 / 8, np.log(8)))


def test_scores_that_are_no_distribution_have_no_calibration() -> None:
    p, y = sound()
    for wrong in (p * 1.01, p - 1e-3 + 1e-3 * 8 * np.eye(8)[0]):
        result = score(wrong, y, ISIC2019)
        assert (result["ece"], result["brier"], result["nll"]) == (None, None, None)
    assert score(p.astype(np.float16), y, ISIC2019)["ece"] is not None


def test_a_class_that_is_never_predicted_lowers_the_macro_precision() -> None:
    three = Taxonomy("three", ISIC2019.classes[:3])
    result = score(np.eye(3)[[0, 0, 1, 1]], [0, 0, 1, 2], three)
    assert result["never_predicted"] == ["BCC"]
    assert result["per_class"]["BCC"]["precision"] is None
    assert result["macro_precision"] == pytest.approx((1 + 0.5 + 0) / 3)


def test_a_tie_is_wrong_even_where_the_first_of_the_tied_classes_is_right() -> None:
    result = score([[0.5, 0.5], [0.1, 0.9]], [0, 1], Taxonomy("two", ISIC2019.classes[:2]))
    assert result["accuracy"] == 0.5
    assert result["confusion"] == [[0, 0, 1], [0, 1, 0]]


def test_absent_classes_are_named_and_left_out_of_the_means() -> None:
    keep = np.isin(MANY.labels, [0, 2, 3])
    p, y = MANY.probabilities[keep], MANY.labels[keep]
    result, predicted = score(p, y, ISIC2019), decided(p)
    assert result["absent"] == ["NV", "BKL", "DF", "VASC", "SCC"]
    assert set(predicted) - {0, 2, 3}, "some images must be taken for an absent class"
    recall = sk.recall_score(y, predicted, labels=[0, 2, 3], average="macro")
    assert result["balanced_accuracy"] == pytest.approx(recall)
    assert result["macro_f1"] == pytest.approx(sk.f1_score(y, predicted, labels=[0, 2, 3], average="macro"))
    auc = [sk.roc_auc_score(y == c, p[:, c]) for c in (0, 2, 3)]
    assert result["macro_auc"] == pytest.approx(np.mean(auc))
    absent = result["per_class"]["NV"]
    assert (absent["recall"], absent["f1"], absent["auc"], absent["images"]) == (None, None, None, 0)
    assert absent["predicted"] > 0
    assert {key for key, value in absent.items() if value is not None} == {
        "images",
        "predicted",
        "sensitivity_at",
    }
    assert set(absent["sensitivity_at"].values()) == {None}


def test_one_class_alone_has_no_auc_and_json_stays_valid() -> None:
    result = score(np.eye(8)[[1, 1, 1]], [1, 1, 1], ISIC2019)
    assert (result["accuracy"], result["balanced_accuracy"], result["macro_auc"]) == (1, 1, None)
    assert result["per_class"]["MEL"]["precision"] is None
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize(
    ("probabilities", "labels", "sentence"),
    [
        (np.ones((3, 8)), [0, 1], r"\(3, 8\) and \(2,\)"),
        (np.ones((0, 8)), [], "need probabilities"),
        (np.full((1, 8), np.nan), [0], "NaN or infinite"),
        (np.ones((1, 8)), [8], "from 0 to 7"),
        (np.ones((1, 8)), [-1], "from 0 to 7"),
        (np.ones((1, 8)), [0.5], "integers"),
        (np.ones((1, 7)), [0], "8 classes, but there are 7"),
    ],
)
def test_refuses(probabilities: npt.NDArray[np.float64], labels: list[int], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        score(probabilities, labels, ISIC2019)
