import json

import numpy as np
import numpy.typing as npt
import pytest
from predictions import MANY
from sklearn import metrics as sk

from transxv2s.errors import InputError
from transxv2s.scoring import score
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
    assert result["balanced_accuracy"] == pytest.approx(recall.mean())
    assert result["macro_f1"] == pytest.approx(f1.mean())
    assert result["macro_auc"] == pytest.approx(np.mean(auc))
    for c, one in enumerate(result["per_class"].values()):
        assert [one["recall"], one["precision"], one["f1"], one["auc"]] == pytest.approx(
            [recall[c], precision[c], f1[c], auc[c]]
        )
        assert one["images"] == (y == c).sum()
    confusion = sk.confusion_matrix(y, predicted, labels=range(9))
    assert result["confusion"] == confusion[:8].tolist()
    assert result["images"] == len(y)


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
    assert absent["precision"] == 0


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
