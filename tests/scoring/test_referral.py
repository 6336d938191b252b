"""Referral's outcomes against a count lesion by lesion."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from transxv2s.errors import InputError
from transxv2s.scoring.referral import Answered, Outcome, referral

SIZE = 240
RANDOM = np.random.default_rng(5)
LESION = RANDOM.integers(110, size=SIZE)
OUGHT = (LESION % 3 == 0) & (LESION < 60)
SEX = np.where(LESION % 2 == 0, "female", "male")
MADE = Answered(
    right=RANDOM.random(SIZE) < 0.6,
    referred=RANDOM.random(SIZE) < 0.3,
    suspected=RANDOM.random(SIZE) < 0.4,
    ought=OUGHT,
    lesions=[f"lesion {n}" for n in LESION],
)


def counted(hit: Callable[[int], bool], asked: Callable[[int], bool], among: np.ndarray) -> float:
    """Share of the lesions, an image of n of its lesion (in the group) counting 1/n."""
    part = whole = 0.0
    for i in among:
        weight = 1 / sum(LESION[j] == LESION[i] for j in among)
        whole += weight * asked(i)
        part += weight * (asked(i) and hit(i))
    return part / whole


@pytest.mark.parametrize("sex", [None, "female", "male"])
def test_shares_are_those_of_a_count_lesion_by_lesion(sex: str | None) -> None:
    among = np.flatnonzero((sex == SEX) if sex else np.ones(SIZE, bool))
    tables = referral(MADE, {"sex": SEX.tolist()}, draws=20)
    row = next(r for r in tables["sex"] if r["group"] == sex) if sex else tables["all"][0]
    right, referred, suspected, ought = (
        values.tolist() for values in (MADE.right, MADE.referred, MADE.suspected, MADE.ought)
    )
    everything = dict.fromkeys(range(SIZE), True)
    expected = {
        "referred": counted(referred.__getitem__, everything.__getitem__, among),
        "accuracy_of_answers": counted(right.__getitem__, lambda i: not referred[i], among),
        "caught": counted(lambda i: right[i] or referred[i], everything.__getitem__, among),
        "safe": counted(lambda i: suspected[i] or referred[i], ought.__getitem__, among),
        "missed_per_1000": 1000
        * counted(lambda i: ought[i] and not (suspected[i] or referred[i]), everything.__getitem__, among),
    }
    for name, value in expected.items():
        interval = row[name]  # type: ignore[literal-required]
        assert interval["value"] == pytest.approx(value), name
        assert interval["low"] < value < interval["high"], name
    assert row["images"] == len(among)
    assert row["lesions"] == len(set(LESION[among]))


def test_groups_come_in_their_order_and_unknown_last() -> None:
    groups = [None if n % 5 == 0 else "MEL" if n % 2 else "NV" for n in LESION]
    rows = referral(MADE, {"class": groups}, {"class": ("NV", "MEL")}, draws=2)["class"]
    assert [row["group"] for row in rows] == ["NV", "MEL", "unknown"]


def test_few_lesions_have_a_value_without_interval() -> None:
    groups = np.where(LESION < 5, "few", "many").tolist()
    few, many = referral(MADE, {"site": groups}, draws=20)["site"]
    assert few["referred"]["value"] is not None
    assert (few["referred"]["low"], few["referred"]["high"]) == (None, None)
    assert many["referred"]["low"] is not None


def everything_is(answered: bool) -> Outcome:
    yes, no = np.ones(30, bool), np.zeros(30, bool)
    made = Answered(right=yes, referred=no if answered else yes, suspected=no, ought=no, lesions=range(30))
    return referral(made, {}, draws=5)["all"][0]


def test_what_cannot_be_said_is_none() -> None:
    row = everything_is(answered=False)
    assert row["accuracy_of_answers"] == {"value": None, "low": None, "high": None}
    assert row["safe"]["value"] is None
    assert row["missed_per_1000"] == {"value": 0, "low": 0, "high": 0}
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert everything_is(answered=True)["accuracy_of_answers"]["value"] == 1


def test_groups_of_other_images_are_refused() -> None:
    with pytest.raises(InputError, match="grouping 'sex' has 1 entries for 240 images"):
        referral(MADE, {"sex": ["female"]})
