import json

import numpy as np
import pytest
from predictions import FEW, MANY
from sklearn import metrics as sk

from transxv2s.errors import InputError
from transxv2s.scoring import malignancy
from transxv2s.taxonomy import ISIC2018, ISIC2019, ISIC2019_UNK, NEVUS_MELANOMA

COUNTED = {"malignant": [0, 2, 7], "malignant_or_precancerous": [0, 2, 3, 7]}


@pytest.mark.parametrize("question", COUNTED)
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_scikit_learn_agrees(question: str, threshold: float) -> None:
    result = malignancy(*MANY, ISIC2019, threshold=threshold, draws=20)[question]  # type: ignore[literal-required]
    truth = np.isin(MANY.labels, COUNTED[question])
    suspicion = MANY.probabilities[:, COUNTED[question]].sum(1)
    called = suspicion >= threshold
    assert result["counted"] == [ISIC2019.codes[c] for c in COUNTED[question]]
    assert result["threshold"] == threshold
    assert result["sensitivity"]["value"] == pytest.approx(sk.recall_score(truth, called))
    assert result["specificity"]["value"] == pytest.approx(sk.recall_score(~truth, ~called))
    assert result["auc"]["value"] == pytest.approx(sk.roc_auc_score(truth, suspicion))
    assert (result["positive_images"], result["negative_images"]) == (truth.sum(), (~truth).sum())


def test_intervals_equal_those_of_repeated_rows() -> None:
    result = malignancy(*FEW, ISIC2019, draws=80, seed=4)["malignant"]
    names = np.unique(FEW.lesions)
    random = np.random.default_rng(4)
    truth, suspicion = np.isin(FEW.labels, [0, 2, 7]), FEW.probabilities[:, [0, 2, 7]].sum(1)
    sensitivity, area = [], []
    for counts in random.multinomial(len(names), np.full(len(names), 1 / len(names)), 80):
        times = dict(zip(names, counts, strict=True))
        rows = [row for row, lesion in enumerate(FEW.lesions) for _ in range(times[lesion])]
        sensitivity.append((suspicion[rows] >= 0.5)[truth[rows]].mean())
        area.append(sk.roc_auc_score(truth[rows], suspicion[rows]))
    for name, drawn in (("sensitivity", sensitivity), ("auc", area)):
        interval = result[name]  # type: ignore[literal-required]
        assert (interval["low"], interval["high"]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]))


def test_other_taxonomies_answer_by_behaviour() -> None:
    p, y = np.eye(7), np.arange(7)
    result = malignancy(p, y, range(7), ISIC2018, draws=5)
    assert result["malignant"]["counted"] == ["MEL", "BCC"]
    assert result["malignant_or_precancerous"]["counted"] == ["MEL", "BCC", "AKIEC"]
    two = malignancy(np.eye(2), [0, 1], range(2), NEVUS_MELANOMA, draws=5)
    assert two["malignant"]["counted"] == ["MEL"]


def test_images_of_unknown_behaviour_do_not_count() -> None:
    p = np.concatenate([MANY.probabilities, np.zeros((600, 1))], axis=1)
    y = np.where(np.arange(600) % 5 == 0, 8, MANY.labels)
    with_unknown = malignancy(p, y, range(600), ISIC2019_UNK, draws=5)["malignant"]
    kept = y < 8
    without = malignancy(p[kept], y[kept], range(480), ISIC2019_UNK, draws=5)["malignant"]
    for name in ("sensitivity", "specificity", "auc"):
        value = with_unknown[name]["value"]
        assert value == pytest.approx(without[name]["value"])
    assert with_unknown["negative_images"] == without["negative_images"]


def test_without_a_malignant_image_there_is_no_sensitivity() -> None:
    result = malignancy(np.eye(8)[[1, 4]], [1, 4], ["a", "b"], ISIC2019, draws=5)
    nothing = {"value": None, "low": None, "high": None}
    assert result["malignant"]["sensitivity"] == result["malignant"]["auc"] == nothing
    assert result["malignant"]["specificity"]["value"] == 1
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_columns_must_fit() -> None:
    with pytest.raises(InputError, match="8 classes, but there are 7"):
        malignancy(np.eye(7), range(7), range(7), ISIC2019)
