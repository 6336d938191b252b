import json
import math

import numpy as np
import pytest
from predictions import MANY
from sklearn import metrics as sk

from transxv2s.errors import InputError
from transxv2s.imaging.skin_tone import SKIN_TONES
from transxv2s.scoring import age_band, lesion_bootstrap, score, subgroups
from transxv2s.taxonomy import ISIC2019

RANDOM = np.random.default_rng(0)
LESION = np.unique(MANY.lesions, return_inverse=True)[1]
SEX = [[None, "female", "male", ""][n] for n in RANDOM.integers(4, size=300)[LESION]]
TABLE = subgroups(*MANY, ISIC2019, {"sex": SEX}, draws=60)["sex"]


def test_rows_partition_the_images_and_unknown_comes_last() -> None:
    assert [row["group"] for row in TABLE] == ["female", "male", "unknown"]
    assert sum(row["images"] for row in TABLE) == len(MANY.labels)
    assert sum(row["lesions"] for row in TABLE) == len(set(MANY.lesions))


@pytest.mark.parametrize("sex", ["female", "male"])
def test_a_row_scores_its_images_alone(sex: str) -> None:
    row = next(row for row in TABLE if row["group"] == sex)
    chosen = np.array([value == sex for value in SEX])
    p, y, lesions = MANY.probabilities[chosen], MANY.labels[chosen], np.array(MANY.lesions)[chosen].tolist()
    alone = score(p, y, ISIC2019)
    assert row["classes"] == [code for code in ISIC2019.codes if code not in alone["absent"]]
    assert row["auc"] == pytest.approx(alone["macro_auc"])
    intervals = lesion_bootstrap(p, y, lesions, draws=60)
    assert row["balanced_accuracy"] == pytest.approx(intervals["balanced_accuracy"])
    assert row["malignant_recall"] is not None
    truth, called = np.isin(y, [0, 2, 7]), p[:, [0, 2, 7]].sum(1) >= 0.5
    assert row["malignant_recall"]["value"] == pytest.approx(sk.recall_score(truth, called))
    assert row["note"] is None


def test_small_groups_are_shown_without_a_score() -> None:
    sites = ["palms/soles" if lesion < 4 else "torso" for lesion in LESION]
    few, torso = subgroups(*MANY, ISIC2019, {"site": sites}, draws=5)["site"]
    assert (few["group"], few["lesions"]) == ("palms/soles", 4)
    assert few["images"] == sum(LESION < 4)
    assert (few["balanced_accuracy"], few["auc"], few["malignant_recall"]) == (None, None, None)
    assert few["note"] == "fewer than 20 lesions: too few for a score"
    assert torso["balanced_accuracy"] is not None
    scored, _ = subgroups(*MANY, ISIC2019, {"site": sites}, draws=5, min_lesions=4)["site"]
    assert scored["balanced_accuracy"] is not None


def test_a_group_without_malignant_images_or_with_one_class_says_so() -> None:
    p, y = np.eye(8)[np.ones(30, int)], np.ones(30, int)
    (row,) = subgroups(p, y, range(30), ISIC2019, {"source": ["MSK"] * 30}, draws=5)["source"]
    assert row["classes"] == ["NV"]
    assert row["auc"] is None
    assert row["malignant_recall"] == {"value": None, "low": None, "high": None}
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_bands_and_tones_stand_in_their_order() -> None:
    ages = [age_band(age) for age in (71, 10, None, 45, 60, 30)] * 100
    tones = [*SKIN_TONES[::-1]] * 100
    tables = subgroups(*MANY, ISIC2019, {"age": ages, "tone": tones}, draws=2)
    assert [row["group"] for row in tables["age"]] == ["0–29", "30–49", "50–69", "70+", "unknown"]
    assert [row["group"] for row in tables["tone"]] == [*SKIN_TONES]


@pytest.mark.parametrize(
    ("age", "band"),
    [(0, "0–29"), (29.5, "0–29"), (30, "30–49"), (49, "30–49"), (50, "50–69"), (70, "70+"), (95, "70+"),
     (None, "unknown"), (math.nan, "unknown")],
)  # fmt: skip
def test_age_bands(age: float | None, band: str) -> None:
    assert age_band(age) == band


def test_refuses() -> None:
    with pytest.raises(InputError, match="age of -1"):
        age_band(-1)
    with pytest.raises(InputError, match="'sex' has 1 entries for 600 images"):
        subgroups(*MANY, ISIC2019, {"sex": ["male"]})
