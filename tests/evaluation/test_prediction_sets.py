"""What became of the promise of prediction sets, against a count lesion by lesion."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import betabinom  # type: ignore[import-untyped]

from transxv2s.evaluation.prediction_sets import Judged, SetOutcome, place_in, set_outcomes
from transxv2s.taxonomy import ISIC2018, ISIC2019
from transxv2s.trust.conformal import Limits, PredictionSets

SIZE = 300
RANDOM = np.random.default_rng(3)
LESION = RANDOM.integers(90, size=SIZE)
LABEL = LESION % 7  # of ISIC 2018: AKIEC is the fourth
HELD = RANDOM.random((SIZE, 8)) < 0.4
HELD[np.arange(SIZE), RANDOM.integers(8, size=SIZE)] = True
SOURCES = ["AB"[n % 2] for n in LESION]
AGES = [("0–29", "70+", None)[n % 3] for n in LESION]
PARTS = {code: [code] for code in ISIC2018.codes} | {"AKIEC": ["AK", "SCC"]}


def promise(**changes: Any) -> PredictionSets:
    limits = Limits(values=(0.1,) * 8, lesions=(100, 200, 300, 40, 50, 60, 5, 80))
    return PredictionSets(
        **{"score": "lac", "coverage": 0.9, "conditional_on": "class", "limits": limits, **changes}
    )


def judged(sources: list[str] = SOURCES) -> Judged:
    groupings: dict[str, Sequence[str | None]] = {"source": sources, "age": AGES}
    return Judged(HELD, LABEL, [f"l{n}" for n in LESION], groupings, ISIC2019, ISIC2018)


def counted(rows: list[int], hits: list[float]) -> float:
    """Mean over lesions of the means over their images."""
    means = [
        np.mean([hits[i] for i in rows if LESION[i] == lesion])
        for lesion in sorted({LESION[i] for i in rows})
    ]
    return float(np.mean(means))


def row(table: list[SetOutcome], group: str) -> SetOutcome:
    return next(one for one in table if one["group"] == group)


@pytest.mark.parametrize(
    ("table", "group"), [("all", "all"), ("class", "AKIEC"), ("class", "NV"), ("source", "B")]
)
def test_shares_are_those_of_a_count_lesion_by_lesion(table: str, group: str) -> None:
    of = {"all": ["all"] * SIZE, "class": [ISIC2018.codes[y] for y in LABEL], "source": SOURCES}[table]
    rows = [i for i in range(SIZE) if of[i] == group]
    sets = [{code for code, there in zip(ISIC2019.codes, held, strict=True) if there} for held in HELD]
    right = [bool(sets[i] & set(PARTS[ISIC2018.codes[LABEL[i]]])) for i in range(SIZE)]
    found = row(set_outcomes(judged(), promise())["tables"][table], group)
    expected = {
        "coverage": counted(rows, [float(one) for one in right]),
        "size": counted(rows, [float(len(one)) for one in sets]),
        "single": counted(rows, [float(len(one) == 1) for one in sets]),
    }
    assert (found["images"], found["lesions"]) == (len(rows), len({LESION[i] for i in rows}))
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value), name  # type: ignore[literal-required]


def test_each_class_with_a_limit_of_its_own_has_the_band_of_its_lesions() -> None:
    table = set_outcomes(judged(), promise())["tables"]["class"]
    nevus = row(table, "NV")
    assert nevus["calibration_lesions"] == 200
    rank = int(np.ceil(201 * 0.9))
    law = betabinom(nevus["lesions"], rank, 201 - rank)
    assert nevus["band"] == pytest.approx(
        [law.ppf(0.025) / nevus["lesions"], law.ppf(0.975) / nevus["lesions"]]
    )
    assert nevus["place"] == "below", "sets at random"
    assert row(table, "VASC")["band"] == [1, 1], "of 5 lesions there is no limit: the class is always in"
    assert row(table, "AKIEC")["band"] is None, "two limits let it in"


def test_what_is_promised_to_all_together_is_judged_on_all_together() -> None:
    tables = set_outcomes(judged(), promise(conditional_on="none"))["tables"]
    assert tables["all"][0]["calibration_lesions"] == 100
    assert all(one["band"] is None for one in (*tables["class"], *tables["source"]))


def test_a_single_source_has_no_table() -> None:
    found = set_outcomes(judged(["A"] * SIZE), promise())
    assert list(found["tables"]) == ["all", "class"]
    assert (found["promised"], found["to_each"]) == (0.9, "class")


def test_sets_by_age_are_judged_by_age() -> None:
    by_age = promise(grouping="age", groups={"70+": promise().limits})
    found = set_outcomes(judged(), by_age)["tables"]
    assert list(found) == ["all", "class", "source", "age"]
    held = judged().covered().astype(float).tolist()
    old = [n for n in range(SIZE) if AGES[n] == "70+"]
    assert row(found["age"], "70+")["coverage"]["value"] == pytest.approx(counted(old, held))


def test_places() -> None:
    assert [place_in((0.8, 0.95), share) for share in (0.79, 0.8, 0.95, 0.96)] == [
        *("below", "within", "within", "above")
    ]
