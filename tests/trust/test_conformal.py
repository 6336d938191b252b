"""Prediction sets against brute force, by simulation of what they promise, and against MAPIE."""

import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.classification import SplitConformalClassifier  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.base import BaseEstimator, ClassifierMixin

from transxv2s.errors import InputError
from transxv2s.trust.calibration import softmax
from transxv2s.trust.conformal import Condition, Limits, PredictionSets, Score, band, evidence, fit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

SKEWED = (0.7, 0.2, 0.07, 0.03)  # shares of four classes
HARDNESS = (2.0, 1.5, 1.0, 0.6)  # how far the true class's logit stands out, by class


def lesions_like(
    seed: int, count: int, shares: Sequence[float] = SKEWED, skill: Sequence[float] = HARDNESS
) -> tuple[Floats, Integers]:
    """Probabilities of images whose rare classes are recognised worse, and their labels."""
    random = np.random.default_rng(seed)
    labels = random.choice(len(shares), count, p=shares)
    logits = random.normal(size=(count, len(shares))) + np.diag(skill)[labels]
    return softmax(logits + np.log(shares)), labels


def covered(held: Booleans, labels: Integers) -> Booleans:
    return held[np.arange(len(labels)), labels]


def at_least(values: Sequence[float], promised: float) -> bool:
    """Whether a mean of repetitions is not below the promise by more than 4 standard errors."""
    return bool(np.mean(values) >= promised - 4 * np.std(values) / math.sqrt(len(values)))


def limit_by_hand(own: Sequence[float], lesions: Sequence[int], coverage: Fraction) -> float:
    """The highest evidence that lesions of total weight (L + 1)·coverage reach, in exact fractions."""
    images = Counter(lesions)
    for limit in sorted(own, reverse=True):
        weights = [Fraction(1, images[i]) for e, i in zip(own, lesions, strict=True) if e >= limit]
        if sum(weights) >= (len(images) + 1) * coverage:
            return limit
    return 0.0


@pytest.mark.parametrize("images", [1, 30, 300])
def test_evidence_is_the_probability_or_the_sum_of_those_not_above(images: int) -> None:
    p = lesions_like(images, images)[0].round(1)  # ties
    p /= p.sum(axis=1, keepdims=True)
    assert (evidence(p, "lac") == p).all()
    by_hand = [[math.fsum(other for other in row if other <= own) for own in row] for row in p.tolist()]
    np.testing.assert_allclose(evidence(p, "aps"), by_hand, rtol=1e-12)


def test_adaptive_evidence_tells_tiny_probabilities_apart() -> None:
    found = evidence(np.array([[1 - 1e-20, 1e-20, 1e-25]]), "aps")[0]
    assert found.tolist() == pytest.approx([1, 1e-20, 1e-25], rel=1e-4)
    assert found[0] == 1


@pytest.mark.parametrize("score", ["lac", "aps"])
@pytest.mark.parametrize("conditional_on", ["class", "none"])
@pytest.mark.parametrize("percent", [50, 55, 80, 90])
def test_limits_are_those_by_hand(score: Score, conditional_on: Condition, percent: int) -> None:
    p, labels = lesions_like(percent, 150)
    lesions = np.random.default_rng(1).integers(60, size=150)
    sets = fit(p, labels, percent / 100, score=score, conditional_on=conditional_on, lesions=lesions.tolist())
    own = evidence(p, score)[np.arange(150), labels]
    for k in range(4):
        part = labels == k if conditional_on == "class" else labels >= 0
        expected = limit_by_hand(own[part].tolist(), lesions[part].tolist(), Fraction(percent, 100))
        assert sets.limits.values[k] == expected
        assert sets.limits.lesions[k] == len(set(lesions[part]))


@pytest.mark.parametrize("coverage", [0.5, 0.55, 0.9, 0.95])
@pytest.mark.parametrize("images", [19, 20, 99])
def test_one_limit_of_single_images_is_the_finite_sample_quantile(images: int, coverage: float) -> None:
    p, labels = lesions_like(images, images)
    sets = fit(p, labels, coverage, conditional_on="none")
    own = sorted(p[np.arange(images), labels], reverse=True)
    needed = next(k for k in range(1, images + 2) if 100 * k >= round(100 * coverage) * (images + 1))
    threshold = own[needed - 1] if needed <= images else 0
    assert sets.limits.values == (threshold,) * 4
    for row in p:
        order = sorted(range(4), key=lambda k: -row[k])
        assert sets.of(row) == [k for k in order if row[k] >= threshold or k == order[0]]


def test_marginal_coverage_is_what_the_theory_says() -> None:
    """Without the rule that the most probable class is in, LAC covers exactly ⌈(n + 1)·c⌉ / (n + 1)."""
    by_limit, by_set = [], []
    for seed in range(800):
        p, labels = lesions_like(seed, 49 + 60)
        sets = fit(p[:49], labels[:49], 0.85, conditional_on="none")
        by_limit.append(covered(p[49:] >= np.array(sets.limits.values), labels[49:]).mean())
        by_set.append(covered(sets.sets(p[49:]), labels[49:]).mean())
    theory = math.ceil(50 * 0.85) / 50
    assert abs(np.mean(by_limit) - theory) < 4 * np.std(by_limit) / math.sqrt(800)
    assert (np.array(by_set) >= by_limit).all()


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_each_class_is_covered_though_the_classes_shift(score: Score) -> None:
    """Calibrated where the last class is rare, tested where all are equally frequent."""
    by_class: list[list[float]] = [[], [], [], []]
    together = []
    for seed in range(150):
        p, labels = lesions_like(seed, 400)
        # the same network: its logits still carry the old shares
        random = np.random.default_rng(10_000 + seed)
        new = np.repeat(np.arange(4), 50)
        new_p = softmax(random.normal(size=(200, 4)) + np.diag(HARDNESS)[new] + np.log(SKEWED))
        held = covered(fit(p, labels, 0.8, score=score).sets(new_p), new)
        marginal = covered(fit(p, labels, 0.8, score=score, conditional_on="none").sets(new_p), new)
        together.append(marginal[new == 3].mean())
        for k in range(4):
            by_class[k].append(held[new == k].mean())
    assert all(at_least(shares, 0.8) for shares in by_class)
    assert np.mean(together) < 0.5, "one limit for all classes must fail the rare one, or this shows nothing"


def test_each_group_is_covered_and_so_are_images_of_unknown_group() -> None:
    skills = {"clinic": (3.0,) * 4, "practice": (0.5,) * 4}
    own: dict[str, list[float]] = {name: [] for name in skills}
    unknown: dict[str, list[float]] = {name: [] for name in skills}
    ignored = []
    for seed in range(150):
        parts = [lesions_like(2 * seed + i, 250, skill=skill) for i, skill in enumerate(skills.values())]
        p, labels = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
        groups = np.repeat(list(skills), 250)
        fitting = np.arange(500) % 2 == 0
        p_fit, y_fit, groups_fit = p[fitting], labels[fitting], groups[fitting].tolist()
        sets = fit(p_fit, y_fit, 0.9, conditional_on="none", groups=groups_fit, grouping="source")
        plain = fit(p_fit, y_fit, 0.9, conditional_on="none")
        for name in skills:
            part = ~fitting & (groups == name)
            own[name].append(covered(sets.sets(p[part], [name] * 125), labels[part]).mean())
            unknown[name].append(covered(sets.sets(p[part]), labels[part]).mean())
        ignored.append(covered(plain.sets(p[part]), labels[part]).mean())
    assert all(at_least(shares, 0.9) for shares in (*own.values(), *unknown.values()))
    assert not at_least(ignored, 0.9), "without groups the hard one must fail, or this shows nothing"


def test_class_and_group_together_have_limits_of_their_own() -> None:
    p, labels = lesions_like(3, 400)
    groups = [("a", "b", None)[i % 3] for i in range(400)]
    sets = fit(p, labels, 0.8, groups=groups, grouping="source")
    for name in "ab":
        part = np.array([group == name for group in groups])
        assert sets.groups[name] == fit(p[part], labels[part], 0.8).limits
    assert sets.limits == fit(p, labels, 0.8).limits, "images of unknown group count here"
    every = [sets.limits.values, *(limits.values for limits in sets.groups.values())]
    assert sets.limits_of() == sets.limits_of("elsewhere") == sets.limits_of("unknown")
    assert sets.limits_of() == tuple(np.min(every, axis=0))


def test_new_lesions_are_covered_though_easy_ones_have_many_images() -> None:
    weighted, pooled = [], []
    for seed in range(300):
        random = np.random.default_rng(seed)
        easy = random.random(120) < 0.5
        skill = np.where(easy, 3.0, 0.3) + random.normal(size=120)  # what the images of a lesion share
        lesion = np.repeat(np.arange(120), np.where(easy, 8, 1))
        p = softmax(np.stack([skill[lesion] + 0.5 * random.normal(size=len(lesion)), 0 * lesion], axis=1))
        labels = np.zeros(len(lesion), dtype=int)
        fitting = lesion < 60
        first = np.unique(lesion, return_index=True)[1][60:]  # one image of each new lesion
        sets = fit(p[fitting], labels[fitting], 0.8, lesions=lesion[fitting].tolist())
        limit = fit(p[fitting], labels[fitting], 0.8).limits.values[0]
        weighted.append((p[first, 0] >= sets.limits.values[0]).mean())
        pooled.append((p[first, 0] >= limit).mean())
    assert at_least(weighted, 0.8)
    assert np.mean(weighted) < 0.83, "and not by taking everything"
    assert not at_least(pooled, 0.8), "images as if independent must fail, or this shows nothing"


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_a_class_of_too_few_lesions_is_in_every_set(score: Score) -> None:
    p, labels = lesions_like(5, 400)
    eight, nine = np.flatnonzero(labels == 3)[:8], np.flatnonzero(labels == 3)[:9]
    others = np.flatnonzero(labels != 3)
    few = fit(p[np.append(others, eight)], labels[np.append(others, eight)], 0.9, score=score)
    assert few.always() == [3]
    assert few.limits.lesions[3] == 8
    assert few.sets(p)[:, 3].all()
    enough = fit(p[np.append(others, nine)], labels[np.append(others, nine)], 0.9, score=score)
    assert enough.always() == []
    assert enough.limits.values[3] == evidence(p[nine], score)[:, 3].min()


class _Fitted(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose features are its probabilities, for MAPIE."""

    classes_ = np.arange(4)

    def fit(self, _x: Floats, _y: Integers) -> "_Fitted":
        return self

    def predict_proba(self, x: Floats) -> Floats:
        return x

    def predict(self, x: Floats) -> Integers:
        return np.asarray(x.argmax(axis=1))

    def __sklearn_is_fitted__(self) -> bool:
        return True


class _Ones(np.random.RandomState):
    """Draws 1 for every image: MAPIE's adaptive score of the true class is then the sum of those above it."""

    def uniform(self, *_: object, size: int) -> Floats:  # type: ignore[override]
        return np.ones(size)


def mapies(
    score: Score,
    coverage: float,
    fitting: tuple[Floats, Integers],
    new: Floats,
    random: np.random.RandomState,
) -> Booleans:
    judge = SplitConformalClassifier(_Fitted(), coverage, score, random_state=random)
    return np.asarray(judge.conformalize(*fitting).predict_set(new)[1][:, :, 0], dtype=np.bool_)


@pytest.mark.parametrize("coverage", [0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("seed", [1, 2])
def test_sets_are_those_of_mapie(seed: int, coverage: float) -> None:
    """MAPIE's LAC leaves sets empty; its APS always keeps the most probable class, as ours does."""
    p, labels = lesions_like(seed, 300)
    new, _ = lesions_like(100 + seed, 2000)
    top = np.eye(4, dtype=bool)[new.argmax(axis=1)]
    lac = mapies("lac", coverage, (p, labels), new, np.random.RandomState(0))
    assert (fit(p, labels, coverage, conditional_on="none").sets(new) == (lac | top)).all()
    aps = mapies("aps", coverage, (p, labels), new, _Ones(0))
    assert (fit(p, labels, coverage, score="aps", conditional_on="none").sets(new) == aps).all()


def test_mapies_random_scores_only_enlarge_adaptive_sets() -> None:
    """By default it draws random numbers for the calibration images and none for the new ones."""
    p, labels = lesions_like(7, 300)
    new, _ = lesions_like(8, 2000)
    ours = fit(p, labels, 0.9, score="aps", conditional_on="none").sets(new)
    theirs = mapies("aps", 0.9, (p, labels), new, np.random.RandomState(0))
    assert (theirs | ~ours).all()
    assert theirs.sum() > ours.sum()


CASES = st.tuples(
    st.integers(0, 10_000),
    st.integers(1, 80),
    st.sampled_from(["lac", "aps"]),
    st.sampled_from(["class", "none"]),
)


@settings(max_examples=60, deadline=None)
@given(CASES, st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_more_coverage_never_makes_a_set_smaller_and_none_is_empty(
    case: tuple[int, int, Score, Condition], one: float, other: float
) -> None:
    seed, images, score, conditional_on = case
    p, labels = lesions_like(seed, images)
    low, high = (
        fit(p, labels, c, score=score, conditional_on=conditional_on).sets(p) for c in sorted((one, other))
    )
    assert (high | ~low).all()
    assert low[np.arange(images), p.argmax(axis=1)].all()


@settings(max_examples=40, deadline=None)
@given(CASES, st.permutations(range(4)))
def test_neither_the_order_of_classes_nor_of_images_matters(
    case: tuple[int, int, Score, Condition], classes: list[int]
) -> None:
    seed, images, score, conditional_on = case
    p, labels = lesions_like(seed, images)
    lesions = np.random.default_rng(seed).integers(10, size=images)
    rows = np.random.default_rng(seed).permutation(images)
    plain = fit(p, labels, 0.8, score=score, conditional_on=conditional_on, lesions=lesions.tolist())
    moved = fit(
        p[rows][:, classes],
        np.argsort(classes)[labels[rows]],
        0.8,
        score=score,
        conditional_on=conditional_on,
        lesions=lesions[rows].tolist(),
    )
    assert moved.limits.values == tuple(plain.limits.values[k] for k in classes)
    assert (moved.sets(p[:, classes]) == plain.sets(p)[:, classes]).all()


@pytest.mark.parametrize("score", ["lac", "aps"])
def test_one_image_gets_the_set_it_has_among_others_most_probable_first(score: Score) -> None:
    p, labels = lesions_like(9, 300)
    groups = [("young", "old", None)[i % 3] for i in range(300)]
    fitted = fit(p, labels, 0.9, score=score, groups=groups, grouping="age band")
    sets = PredictionSets.model_validate_json(fitted.model_dump_json())
    assert sets == fitted
    for row, group, held in zip(p, groups, sets.sets(p, groups), strict=True):
        found = sets.of(row, group)
        assert sorted(found) == np.flatnonzero(held).tolist()
        assert found == sorted(found, key=lambda k: -row[k])
        assert found[0] == row.argmax()


@pytest.mark.parametrize("coverage", [Fraction(1, 2), Fraction(9, 10)])
@pytest.mark.parametrize(("n", "m"), [(9, 1), (20, 13), (57, 40)])
def test_band_is_the_beta_binomial_one_in_exact_fractions(coverage: Fraction, n: int, m: int) -> None:
    """The number covered has the negative hypergeometric law: C(j+a−1, j)·C(m−j+b−1, m−j) / C(m+n, m)."""
    a = math.ceil((n + 1) * coverage)
    b = n + 1 - a
    law = [
        Fraction(math.comb(j + a - 1, j) * math.comb(m - j + b - 1, m - j), math.comb(m + n, m))
        for j in range(m + 1)
    ]
    assert sum(law) == 1
    low, high = (
        next(j for j in range(m + 1) if sum(law[: j + 1]) >= tail) / m
        for tail in (Fraction(25, 1000), Fraction(975, 1000))
    )
    assert band(float(coverage), n, m).tolist() == pytest.approx([low, high])


def test_band_holds_the_coverage_of_simulated_lesions() -> None:
    inside = []
    low, high = band(0.9, 80, 60)
    for seed in range(600):
        p, labels = lesions_like(seed, 140)
        limit = fit(p[:80], labels[:80], 0.9, conditional_on="none").limits.values[0]
        inside.append(low <= covered(p[80:] >= limit, labels[80:]).mean() <= high)
    assert at_least(inside, 0.95)
    assert np.mean(inside) < 0.99, "and it is no wider than whole lesions make it"


def test_band_of_many_classes_too_few_lesions_and_none() -> None:
    found = band(0.9, [8, 9, 500], [50, 0, 50])
    assert found.shape == (3, 2)
    assert found[0].tolist() == [1, 1]
    assert np.isnan(found[1]).all()
    assert 0.7 < found[2, 0] < 0.9 < found[2, 1] <= 1


P = np.full((3, 4), 0.25)
Y = np.array([0, 1, 3])


@pytest.mark.parametrize(
    ("p", "labels", "options", "complaint"),
    [
        (np.zeros((0, 4)), Y[:0], {}, "N ≥ 1"),
        (np.full(4, 0.25), Y, {}, "N ≥ 1"),
        (P, Y[:2], {}, "labels"),
        (P, np.array([0, 1, 4]), {}, "from 0 to 3"),
        (P, np.array([0.0, 1.0, 2.0]), {}, "integers"),
        (np.full((3, 4), np.nan), Y, {}, "sum to 1"),
        (np.full((3, 4), 0.5), Y, {}, "sum to 1"),
        (P + np.array([0.5, -0.5, 0, 0]), Y, {}, "≥ 0"),
        (P, Y, {"lesions": ["a", "b"]}, "lesions"),
        (P, Y, {"lesions": ["a", "b", ""]}, "no lesion"),
        (P, Y, {"groups": ["a", "b", "c"]}, "name of the grouping"),
        (P, Y, {"grouping": "source"}, "name of the grouping"),
        (P, Y, {"groups": ["a", "b"], "grouping": "source"}, "2 groups for 3 images"),
        (P, Y, {"groups": [None, "", "unknown"], "grouping": "source"}, "known source"),
    ],
)
def test_what_does_not_go_together_is_refused(
    p: Floats, labels: Integers, options: dict[str, Sequence[str]], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        fit(p, labels, 0.9, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0, math.nan])
def test_coverage_must_be_a_share(coverage: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        fit(P, Y, coverage)


def test_sets_of_other_classes_or_other_numbers_of_groups_are_refused() -> None:
    sets = fit(P, Y, 0.9)
    with pytest.raises(InputError, match="4 classes"):
        sets.sets(np.full((2, 5), 0.2))
    with pytest.raises(InputError, match="1 groups for 3 images"):
        sets.sets(P, ["a"])


@pytest.mark.parametrize(
    "change",
    [
        {"score": "raps"},
        {"coverage": 1.0},
        {"conditional_on": "image"},
        {"limits": {"values": (0.2, 1.1), "lesions": (9, 9)}},
        {"limits": {"values": (0.2, math.nan), "lesions": (9, 9)}},
        {"limits": {"values": (0.2, 0.3), "lesions": (9,)}},
        {"limits": {"values": (), "lesions": ()}},
        {"grouping": "source"},
        {"groups": {"a": {"values": (0.2, 0.3), "lesions": (9, 9)}}},
        {"grouping": "source", "groups": {"a": {"values": (0.2,), "lesions": (9,)}}},
        {"threshold": 0.5},
    ],
)
def test_a_damaged_configuration_is_refused(change: dict[str, object]) -> None:
    values = {
        "score": "lac",
        "coverage": 0.9,
        "conditional_on": "class",
        "limits": {"values": (0.2, 0.3), "lesions": (9, 12)},
    }
    assert PredictionSets.model_validate(values).limits == Limits(values=(0.2, 0.3), lesions=(9, 12))
    with pytest.raises(ValidationError):
        PredictionSets.model_validate(values | change)
