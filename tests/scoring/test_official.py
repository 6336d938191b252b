"""The official scorer as judge: every number of ours is its number, to 1e-12."""

import importlib
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transxv2s.errors import DataError, InputError
from transxv2s.scoring import OfficialScores, official_score, official_score_files, score, write_submission
from transxv2s.scoring.official import RATES
from transxv2s.taxonomy import ISIC2018, ISIC2019, ISIC2019_UNK, project

judge: Any = importlib.import_module("isic_challenge_scoring.classification")
pandas: Any = judge.pd
BY_BALANCED_ACCURACY = judge.ClassificationMetric.BALANCED_ACCURACY

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]


@pytest.fixture(autouse=True)
def _pandas_of_the_judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The official package calls `applymap`, which pandas 3 renamed to `map`."""
    if not hasattr(pandas.DataFrame, "applymap"):
        monkeypatch.setattr(pandas.DataFrame, "applymap", pandas.DataFrame.map, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tables(p: Floats, y: Integers, codes: tuple[str, ...], weights: Floats) -> Any:
    """Truth, predictions and weights as the official package holds them."""
    ids = [f"ISIC_{n:07d}" for n in range(len(y))]
    both = np.stack([weights, weights], axis=1)
    return (
        pandas.DataFrame(np.eye(len(codes))[y], ids, codes),
        pandas.DataFrame(p, ids, codes),
        pandas.DataFrame(both, ids, ["score_weight", "validation_weight"]),
    )


def assert_same(ours: OfficialScores, theirs: Any) -> None:
    assert ours["balanced_accuracy"] == pytest.approx(theirs.overall, rel=0, abs=1e-12)
    for code, row in ours["per_category"].items():
        assert dict(row) == pytest.approx(theirs.per_category.loc[code].to_dict(), rel=0, abs=1e-12)
    assert dict(ours["macro_average"]) == pytest.approx(theirs.macro_average.to_dict(), rel=0, abs=1e-12)


def agree(p: Floats, y: Integers, codes: tuple[str, ...], weights: Floats | None = None) -> None:
    theirs = judge.ClassificationScore(
        *tables(p, y, codes, np.ones(len(y)) if weights is None else weights), BY_BALANCED_ACCURACY
    )
    assert_same(official_score(p, y, codes, weights), theirs)


def drawn(random: np.random.Generator, images: int, classes: int) -> tuple[Floats, Integers]:
    """Every class at least twice."""
    y = np.concatenate([np.arange(classes).repeat(2), random.integers(classes, size=images - 2 * classes)])
    p = random.dirichlet(np.full(classes, 0.4), images) * 0.85 + 0.15 * np.eye(classes)[y]
    return p, y.astype(np.intp)


@pytest.mark.parametrize("codes", [ISIC2018.codes, ISIC2019_UNK.codes])
@pytest.mark.parametrize("decimals", [16, 2, 1, 0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_inputs_with_more_and_more_ties(codes: tuple[str, ...], decimals: int, seed: int) -> None:
    p, y = drawn(np.random.default_rng(seed), 150, len(codes))
    agree(p.round(decimals), y, codes)


@pytest.mark.parametrize("kind", ["zero_one", "counts", "fractions"])
def test_weights(kind: str) -> None:
    random = np.random.default_rng(4)
    p, y = drawn(random, 200, 9)
    weights = {
        "zero_one": (random.random(200) < 0.6).astype(np.float64),
        "counts": random.integers(0, 4, 200).astype(np.float64),
        "fractions": random.random(200),
    }[kind]
    agree(p.round(2), y, ISIC2019_UNK.codes, weights)


SPECIAL: dict[str, Callable[[Integers], Any]] = {
    "all equal": lambda y: np.full((len(y), 8), 0.125),
    "all zero": lambda y: np.zeros((len(y), 8)),
    "all one": lambda y: np.ones((len(y), 8)),
    "perfect": lambda y: np.eye(8)[y],
    "perfectly wrong": lambda y: 1 - np.eye(8)[y],
    "exactly one half": lambda y: np.eye(8)[y] / 2,
    "always nevus": lambda y: np.eye(8)[np.ones_like(y)],
    "two tied": lambda y: (np.eye(8)[y] + np.eye(8)[(y + 1) % 8]) / 2,
}


@pytest.mark.parametrize("name", SPECIAL)
def test_adversarial_predictions(name: str) -> None:
    y = np.arange(40, dtype=np.intp) % 8
    agree(SPECIAL[name](y).astype(np.float64), y, ISIC2019.codes)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_grid_of_probabilities(data: st.DataObject) -> None:
    """Few distinct values, so that ties within and across images abound."""
    classes = data.draw(st.integers(2, 4))
    extra = data.draw(st.lists(st.integers(0, classes - 1), max_size=12))
    y = np.array([*range(classes), *extra], dtype=np.intp)
    cells = st.sampled_from([0.0, 0.25, 0.5, 0.51, 0.75, 1.0])
    p = np.array(data.draw(st.lists(st.lists(cells, min_size=classes, max_size=classes),
                                    min_size=len(y), max_size=len(y))))  # fmt: skip
    agree(p, y, ISIC2019.codes[:classes])


@pytest.mark.parametrize("present", [[1], [0, 1, 2], [7]])
def test_absent_classes_get_the_official_rates_and_no_area(present: list[int]) -> None:
    """The scorer as a whole stops here, as no ROC curve exists; its parts are asked one by one."""
    random = np.random.default_rng(5)
    y = random.choice(present, 60).astype(np.intp)
    p = random.dirichlet(np.full(8, 0.3), 60).round(1)
    truth, given_, weights = tables(p, y, ISIC2019.codes, np.ones(60))
    with pytest.raises(ValueError, match="sample points is empty"):
        judge.ClassificationScore(truth, given_, weights, BY_BALANCED_ACCURACY)
    ours = official_score(p, y, ISIC2019.codes)
    balanced = judge.metrics.balanced_multiclass_accuracy(truth, given_, weights.score_weight)
    assert ours["balanced_accuracy"] == pytest.approx(balanced, rel=0, abs=1e-12)
    assert ours["absent"] == [code for c, code in enumerate(ISIC2019.codes) if c not in present]
    for code in ISIC2019.codes:
        cells = judge.create_binary_confusion_matrix(
            truth[code].gt(0.5).to_numpy(), given_[code].gt(0.5).to_numpy(), np.ones(60)
        )
        row = ours["per_category"][code]
        for rate in RATES[:6]:
            expected = getattr(judge.metrics, f"binary_{rate}")(cells)
            assert row[rate] == pytest.approx(expected, rel=0, abs=1e-12)  # type: ignore[literal-required]
        if code in ours["absent"]:
            assert (row["sensitivity"], row["auc"], row["auc_sens_80"], row["ap"]) == (1, None, None, None)


def test_weights_can_make_a_class_absent() -> None:
    p, y = drawn(np.random.default_rng(6), 100, 8)
    ours = official_score(p, y, ISIC2019.codes, (y != 3).astype(float))
    assert ours["absent"] == ["AK"]
    assert ours["per_category"]["AK"]["ap"] is None
    kept = y != 3
    alone = official_score(p[kept], y[kept], ISIC2019.codes)
    for code in ISIC2019.codes:
        assert dict(ours["per_category"][code]) == pytest.approx(dict(alone["per_category"][code]))


def test_our_own_score_agrees_where_the_definitions_do() -> None:
    p, y = drawn(np.random.default_rng(7), 120, 8)
    official, own = official_score(p.round(1), y, ISIC2019.codes), score(p.round(1), y, ISIC2019)
    assert own["balanced_accuracy"] == pytest.approx(official["balanced_accuracy"])
    for code in ISIC2019.codes:
        assert own["per_class"][code]["auc"] == pytest.approx(official["per_category"][code]["auc"])


def files(folder: Path, weighted: bool, tail: str = "") -> tuple[Path, Path]:
    """A ground truth of 9 columns and a submission in another order of rows."""
    random = np.random.default_rng(8)
    p, y = drawn(random, 90, 9)
    ids = [f"ISIC_{n + 35000:07d}" for n in range(90)]  # holds ISIC_0035068, which has no official weight
    header, weights = ["image", *ISIC2019_UNK.codes], random.integers(0, 2, (90, 2)).astype(float).tolist()
    header += ["score_weight", "validation_weight"] if weighted else []
    table = [[i, *hot, *(w if weighted else [])] for i, hot, w in zip(ids, np.eye(9)[y].tolist(), weights)]  # noqa: B905
    truth, submission = folder / "truth.csv", folder / "submission.csv"
    truth.write_text("\n".join(",".join(map(str, row)) for row in [header, *table]) + "\n")
    order = random.permutation(90)
    write_submission(submission, [ids[n] + tail for n in order], p[order], ISIC2019_UNK.codes)
    return truth, submission


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("tail", ["", ".jpg", ".JPG"])
def test_files(tmp_path: Path, weighted: bool, tail: str) -> None:
    truth, submission = files(tmp_path, weighted, tail)
    theirs = judge.ClassificationScore.from_file(truth, submission, BY_BALANCED_ACCURACY)
    ours = official_score_files(truth, submission)
    assert_same(ours["overall"], theirs)
    assert ours["validation"]["balanced_accuracy"] == pytest.approx(theirs.validation, rel=0, abs=1e-12)
    assert (ours["overall"]["balanced_accuracy"] != ours["validation"]["balanced_accuracy"]) == weighted


FAULTS: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "row missing": (lambda lines: lines[:-1], "1 image is missing"),
    "row too many": (lambda lines: [*lines, lines[-1].replace("ISIC", "OTHER")], "1 image is not asked for"),
    "row twice": (lambda lines: [*lines, lines[-1]], "must have one row"),
    "column missing": (lambda lines: [line.rpartition(",")[0] for line in lines], "misses UNK"),
    "column too many": (lambda lines: [line + ",0.5" for line in lines], "has too many: 0.5"),
    "text": (lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + ",high"], "missing or no number"),
    "empty cell": (lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + ","], "missing or no number"),
    "out of range": (lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + ",1.01"], "outside 0 to 1"),
    "negative": (lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0] + ",-0.01"], "outside 0 to 1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_both_refuse_what_is_wrong_with_a_submission(tmp_path: Path, fault: str) -> None:
    truth, submission = files(tmp_path, weighted=False)
    spoil, sentence = FAULTS[fault]
    submission.write_text("\n".join(spoil(submission.read_text().splitlines())) + "\n")
    refusal = importlib.import_module("isic_challenge_scoring.types").ScoreError
    with pytest.raises(refusal):
        judge.ClassificationScore.from_file(truth, submission, BY_BALANCED_ACCURACY)
    with pytest.raises(DataError, match=sentence):
        official_score_files(truth, submission)


def test_an_empty_column_for_unknown_changes_nothing_for_the_others(tmp_path: Path) -> None:
    p, y = drawn(np.random.default_rng(9), 80, 8)
    eight, nine = (
        official_score(p, y, ISIC2019.codes),
        official_score(project(p, ISIC2019, ISIC2019_UNK), y, ISIC2019_UNK.codes),
    )
    assert nine["absent"] == ["UNK"]
    assert nine["balanced_accuracy"] == eight["balanced_accuracy"]
    assert {c: s for c, s in nine["per_category"].items() if c != "UNK"} == eight["per_category"]


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0], [math.nan, 1.0]])
def test_unusable_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(InputError, match="2 finite numbers"):
        official_score(np.eye(2), [0, 1], ["A", "B"], weights)


def test_codes_must_fit_the_columns() -> None:
    with pytest.raises(InputError, match="1 class codes for 2 columns"):
        official_score(np.eye(2), [0, 1], ["A"])
