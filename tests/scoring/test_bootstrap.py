import json
import math

import numpy as np
import pytest
from predictions import FEW, MANY, Predictions

from transxv2s.errors import InputError
from transxv2s.scoring import (
    Interval,
    Intervals,
    Scored,
    Scores,
    lesion_bootstrap,
    paired_difference,
    report,
    score,
    unpaired_difference,
)
from transxv2s.scoring.bootstrap import CLASS_METRICS, METRICS
from transxv2s.taxonomy import ISIC2019


def resampled(data: Predictions, draws: int, seed: int) -> list[Scores]:
    """Scores of physically repeated rows: for each draw, each lesion's images as often as it was drawn."""
    names = np.unique(data.lesions)
    random = np.random.default_rng(seed)
    results = []
    for counts in random.multinomial(len(names), np.full(len(names), 1 / len(names)), draws):
        times = dict(zip(names, counts, strict=True))
        rows = [row for row, lesion in enumerate(data.lesions) for _ in range(times[lesion])]
        results.append(score(data.probabilities[rows], data.labels[rows], ISIC2019))
    return results


def flat(intervals: Intervals) -> list[Interval]:
    headline = [intervals[name] for name in METRICS]  # type: ignore[literal-required]
    return [*headline, *(i for name in CLASS_METRICS for i in intervals[name])]  # type: ignore[literal-required]


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_weights_equal_repeated_rows(level: float) -> None:
    draws = resampled(FEW, draws=150, seed=3)
    assert len({tuple(d["absent"]) for d in draws}) > 1, "some draws must lack a class"
    result = lesion_bootstrap(FEW.probabilities, FEW.labels, FEW.lesions, draws=150, seed=3, level=level)
    whole = score(FEW.probabilities, FEW.labels, ISIC2019)
    for name in METRICS:
        drawn = [d[name] for d in draws if d[name] is not None]  # type: ignore[literal-required]
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]) if drawn else (None, None)
        assert result[name] == pytest.approx({"value": whole[name], "low": low, "high": high})  # type: ignore[literal-required]
    for c, code in enumerate(ISIC2019.codes):
        for name in CLASS_METRICS:
            of_class = result[name][c]  # type: ignore[literal-required]
            scores = [d["per_class"][code][name] for d in draws]  # type: ignore[literal-required]
            kept = [s for s in scores if s is not None]
            low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2]) if kept else (None, None)
            value = whole["per_class"][code][name]  # type: ignore[literal-required]
            assert of_class == pytest.approx({"value": value, "low": low, "high": high})


def test_loss_equals_repeated_rows_and_is_none_for_what_is_no_distribution() -> None:
    whole = FEW.probabilities / FEW.probabilities.sum(1, keepdims=True)
    draws = resampled(Predictions(whole, FEW.labels, FEW.lesions), draws=60, seed=4)
    low, high = np.quantile([d["nll"] for d in draws if d["nll"] is not None], [0.025, 0.975])
    result = lesion_bootstrap(whole, FEW.labels, FEW.lesions, draws=60, seed=4)["nll"]
    assert result == pytest.approx(
        {"value": score(whole, FEW.labels, ISIC2019)["nll"], "low": low, "high": high}
    )
    assert lesion_bootstrap(FEW.probabilities, FEW.labels, FEW.lesions, draws=2)["nll"]["value"] is None


def test_every_image_its_own_lesion_gives_the_binomial_deviation() -> None:
    """400 images, each right with probability 0.7: the interval is 1.96·sqrt(0.7·0.3/400) to both sides."""
    right = np.arange(400) < 280
    p = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    result = lesion_bootstrap(p, np.zeros(400, int), range(400), draws=4000)["accuracy"]
    half = 1.96 * math.sqrt(0.7 * 0.3 / 400)
    assert result["value"] == pytest.approx(0.7)
    assert (result["low"], result["high"]) == pytest.approx((0.7 - half, 0.7 + half), abs=0.005)


def test_copies_of_an_image_do_not_narrow_the_interval() -> None:
    once = lesion_bootstrap(FEW.probabilities, FEW.labels, FEW.lesions, draws=300)
    four = lesion_bootstrap(
        np.tile(FEW.probabilities, (4, 1)), np.tile(FEW.labels, 4), FEW.lesions * 4, draws=300
    )
    for name in METRICS:
        assert four[name] == pytest.approx(once[name])  # type: ignore[literal-required]


def test_one_lesion_leaves_nothing_to_vary() -> None:
    for interval in flat(lesion_bootstrap(FEW.probabilities, FEW.labels, ["same"] * 40, draws=5)):
        assert interval["low"] == pytest.approx(interval["value"])
        assert interval["high"] == pytest.approx(interval["value"])


def test_the_seed_decides() -> None:
    one, same, other = (
        lesion_bootstrap(FEW.probabilities, FEW.labels, FEW.lesions, draws=99, seed=s) for s in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_paired_difference_equals_differences_of_repeated_rows() -> None:
    sharper = Predictions(FEW.probabilities + 0.3 * np.eye(8)[FEW.labels], FEW.labels, FEW.lesions)
    result = paired_difference(
        sharper.probabilities, FEW.probabilities, FEW.labels, FEW.lesions, draws=120, seed=5
    )
    pairs = list(zip(resampled(sharper, 120, 5), resampled(FEW, 120, 5), strict=True))
    low, high = np.quantile([a["macro_f1"] - b["macro_f1"] for a, b in pairs], [0.025, 0.975])
    assert (result["macro_f1"]["low"], result["macro_f1"]["high"]) == pytest.approx((low, high))
    assert result["macro_f1"]["value"] is not None
    assert low < result["macro_f1"]["value"] < high


def test_runs_of_a_model_are_averaged_in_every_draw() -> None:
    flipped = FEW.probabilities[:, ::-1]
    runs = np.stack([FEW.probabilities, flipped])
    together = lesion_bootstrap(runs, FEW.labels, FEW.lesions, draws=1)
    alone = [lesion_bootstrap(p, FEW.labels, FEW.lesions, draws=1) for p in runs]
    for whole, one, other in zip(flat(together), *map(flat, alone), strict=True):
        if one["value"] is None or one["low"] is None or other["low"] is None:
            continue
        assert other["value"] is not None
        assert whole["value"] == pytest.approx((one["value"] + other["value"]) / 2)
        assert whole["low"] == pytest.approx((one["low"] + other["low"]) / 2)
    halves = paired_difference(runs, FEW.probabilities, FEW.labels, FEW.lesions, draws=80)["accuracy"]
    apart = paired_difference(flipped, FEW.probabilities, FEW.labels, FEW.lesions, draws=80)["accuracy"]
    assert {k: 2 * v for k, v in halves.items() if isinstance(v, float)} == pytest.approx(apart)


def test_a_model_does_not_differ_from_itself() -> None:
    same = MANY.probabilities / MANY.probabilities.sum(1, keepdims=True)
    result = paired_difference(same, same, MANY.labels, MANY.lesions, draws=50)
    assert len(flat(result)) == len(METRICS) + len(CLASS_METRICS) * 8
    for interval in flat(result):
        assert interval == {"value": 0, "low": 0, "high": 0}


def test_an_unpaired_difference_has_the_deviation_of_two_independent_shares() -> None:
    """400 images right with 0.7 and 300 others with 0.6: 1.96·sqrt(0.21/400 + 0.24/300) to both sides."""
    sides = []
    for images, right in ((400, 280), (300, 180)):
        p = np.where(np.arange(images)[:, None] < right, [0.9, 0.1], [0.1, 0.9])
        sides.append(Scored(p, np.zeros(images, int), range(images)))
    result = unpaired_difference(*sides, draws=4000)["accuracy"]
    half = 1.96 * math.sqrt(0.21 / 400 + 0.24 / 300)
    assert result["value"] == pytest.approx(0.1)
    assert (result["low"], result["high"]) == pytest.approx((0.1 - half, 0.1 + half), abs=0.006)


def test_unpaired_models_need_the_same_classes() -> None:
    with pytest.raises(InputError, match="7 and 8 classes"):
        unpaired_difference(Scored(np.eye(8), range(8), range(8)), Scored(np.eye(7), range(7), range(7)))


def test_paired_models_need_the_same_classes() -> None:
    with pytest.raises(InputError, match="8 classes, the other 7"):
        paired_difference(np.eye(8), np.eye(8)[:, :7], np.arange(7).repeat(2)[:8], range(8))


def test_one_class_alone_has_no_auc_interval() -> None:
    result = lesion_bootstrap(np.eye(8)[[1, 1]], [1, 1], ["a", "b"], draws=10)
    assert result["macro_auc"] == {"value": None, "low": None, "high": None}
    assert result["accuracy"] == {"value": 1, "low": 1, "high": 1}


def test_report_is_what_a_checkpoint_carries() -> None:
    result = report(MANY.probabilities, MANY.labels, MANY.lesions, ISIC2019, draws=100)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    scores = score(MANY.probabilities, MANY.labels, ISIC2019)
    for name in ("per_class", "absent", "confusion", "macro_precision", "macro_average_precision", "brier"):
        assert result[name] == scores[name]
    for code, intervals in result["intervals"].items():
        assert intervals["recall"]["value"] == pytest.approx(scores["per_class"][code]["recall"])
        assert intervals["f1"]["value"] == pytest.approx(scores["per_class"][code]["f1"])
        assert intervals["auc"]["value"] == pytest.approx(scores["per_class"][code]["auc"])
    assert (result["images"], result["lesions"]) == (600, len(set(MANY.lesions)))
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc"):
        interval = result[name]  # type: ignore[literal-required]
        assert interval["low"] < interval["value"] < interval["high"]
        assert interval["value"] == pytest.approx(scores[name])  # type: ignore[literal-required]


@pytest.mark.parametrize("missing", [None, "", math.nan])
def test_a_missing_lesion_is_refused(missing: object) -> None:
    with pytest.raises(InputError, match="has no lesion"):
        lesion_bootstrap(np.eye(8)[:2], [0, 1], ["a", missing])


def test_other_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="1 lesions for 2 images"):
        lesion_bootstrap(np.eye(8)[:2], [0, 1], ["a"])
    with pytest.raises(InputError, match="not 0 and 0"):
        lesion_bootstrap(np.eye(8)[:2], [0, 1], ["a", "b"], draws=0)
    with pytest.raises(InputError, match="not 2000 and 95"):
        lesion_bootstrap(np.eye(8)[:2], [0, 1], ["a", "b"], level=95)
