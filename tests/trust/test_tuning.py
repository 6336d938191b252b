"""Tuned policies keep their promises on further lesions, spend the budget, say what they could not have."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from transxv2s.taxonomy import ISIC2019, Taxonomy
from transxv2s.trust.policy import Goals
from transxv2s.trust.rules import Evidence, needing_expert, referred
from transxv2s.trust.tuning import SENSITIVITIES, Labelled, lesions_needed, risk_limit, tune

NEEDS = needing_expert(ISIC2019)

K = len(ISIC2019)


def world(lesions: int, sharpness: float, seed: int, views: int = 2) -> Labelled:
    """Lesions of unequal classes, some with several views, and probabilities that are right on average."""
    generator = np.random.default_rng(seed)
    prior = np.array([0.18, 0.45, 0.13, 0.05, 0.1, 0.03, 0.03, 0.03])
    labels = generator.choice(K, lesions, p=prior / prior.sum())
    shown = np.repeat(np.arange(lesions), generator.integers(1, views + 1, lesions))
    logits = np.log(prior) + generator.normal(0, 1, (len(shown), K))
    logits[np.arange(len(shown)), labels[shown]] += sharpness
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    none = np.zeros(len(shown), bool)
    found = Evidence(values, values.argmax(1), values >= 0.1, none, [()] * len(shown))
    return Labelled(found, labels[shown], [f"lesion {i}" for i in shown], ISIC2019)


def missed(labelled: Labelled, safe: NDArray[np.bool_], ought: NDArray[np.bool_]) -> float:
    """Mean over the lesions that ought to be safe of the share of their images that are not."""
    lesions = np.array(labelled.lesions)[ought]
    return float(np.mean([1 - safe[ought][lesions == lesion].mean() for lesion in np.unique(lesions)]))


def brute_limit(
    scores: Sequence[float], lesions: Sequence[str], caught: Sequence[bool], risk: float
) -> float:
    """The highest of all limits worth trying that keeps (Σ L + 1) / (n + 1) ≤ risk."""
    ids, images = sorted(set(lesions)), list(zip(scores, lesions, caught, strict=True))
    best = None
    for limit in sorted({0.0, 1.0, *scores}):
        losses = [
            np.mean([not done and score < limit for score, lesion, done in images if lesion == one])
            for one in ids
        ]
        if (sum(losses) + 1) / (len(ids) + 1) <= risk + 1e-9 / (len(ids) + 1):
            best = limit
    return 0.0 if best is None else best


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]), st.sampled_from("abcdef"), st.booleans()),
        min_size=1,
        max_size=25,
    ),
    st.sampled_from([0.0, 0.1, 0.2, 0.34, 0.5, 0.9]),
)
def test_the_limit_is_the_highest_that_risk_control_allows(
    images: list[tuple[float, str, bool]], risk: float
) -> None:
    scores, lesions, caught = (list(column) for column in zip(*images, strict=True))
    assert risk_limit(scores, lesions, caught, risk) == brute_limit(scores, lesions, caught, risk)


@pytest.mark.parametrize(("risk", "needed"), [(0.1, 9), (0.05, 19), (0.5, 1), (1.0, 0)])
def test_how_many_lesions_a_promise_takes(risk: float, needed: int) -> None:
    assert lesions_needed(risk) == needed
    assert risk_limit([0.3] * needed, [str(i) for i in range(needed)], [False] * needed, risk) > 0
    if needed > 1:
        fewer = needed - 1
        assert risk_limit([0.3] * fewer, [str(i) for i in range(fewer)], [False] * fewer, risk) == 0


def test_nine_lesions_are_enough_for_a_goal_of_nine_in_ten() -> None:
    """1 - 0.9 is a little less than 0.1."""
    alone = [str(i) for i in range(9)]
    assert risk_limit([0.3] * 9, alone, [False] * 9, 1 - 0.9) == 0.3


def test_what_is_named_as_an_often_missed_class_is_answered_and_its_floor_holds() -> None:
    place, goals, shares = ISIC2019.index("MEL"), Goals(sensitivity=0.5, budget=0), []
    for seed in range(25):
        policy = tune(world(300, 1.5, seed), [], goals, "", often_missed=["MEL"]).policy
        assert (list(policy.rare), list(policy.often_missed or {})) == ([], ["MEL"])
        further = world(1500, 1.5, 1000 + seed)
        named = further.evidence.predicted == place
        sent = referred(policy, further.evidence, ISIC2019)
        assert not sent[named].any()
        shares.append(missed(further, sent | named, further.labels == place))
    assert np.mean(shares) <= 0.1 + 2 * float(np.std(shares) / 5)
    assert np.mean(shares) > 0.05, "no more is referred than the goal asks for"


def test_where_no_class_needs_an_expert_nothing_is_suspected() -> None:
    labelled = world(300, 2.0, 0)
    benign = ~NEEDS
    kept = benign[labelled.labels]
    values = labelled.evidence.probabilities[kept][:, benign]
    values = values / values.sum(axis=1, keepdims=True)
    found = Evidence(values, values.argmax(1), values >= 0.1, np.zeros(len(values), bool), [()] * len(values))
    own = Taxonomy("own", tuple(c for c in ISIC2019.classes if not c.needs_expert))
    labels = np.cumsum(benign)[labelled.labels[kept]] - 1
    lesions = [lesion for lesion, k in zip(labelled.lesions, kept, strict=True) if k]
    tuned = tune(Labelled(found, labels, lesions, own), [], Goals(budget=0.2), "")
    assert tuned.shares["suspicion"] == 0
    assert tuned.shares["all"] <= 0.2
    assert tuned.notes == []


def test_too_few_malignant_lesions_are_told() -> None:
    labelled = world(400, 2.0, 0)
    ought = NEEDS[labelled.labels]
    ill = sorted({lesion for lesion, needs in zip(labelled.lesions, ought, strict=True) if needs})
    for count, told in ((18, True), (19, False)):
        kept = np.array([lesion in ill[:count] for lesion in labelled.lesions]) | ~ought
        places, evidence = np.flatnonzero(kept), labelled.evidence
        some = Labelled(
            Evidence(
                evidence.probabilities[kept],
                evidence.predicted[kept],
                evidence.members[kept],
                evidence.novel[kept],
                [()] * len(places),
            ),
            labelled.labels[kept],
            [labelled.lesions[i] for i in places.tolist()],
            ISIC2019,
        )
        tuned = tune(some, [], Goals(budget=0.9), "")
        note = (
            "18 malignant or precancerous lesions to tune on: to promise 95% takes 19, "
            "so every benign answer is referred"
        )
        assert (note in tuned.notes) == told
        assert (tuned.policy.max_suspicion == 0) == told


def test_the_price_of_the_malignant_is_what_they_alone_would_cost() -> None:
    labelled = world(600, 1.0, 0)
    both = tune(labelled, ["SCC"], Goals(budget=0.1), "", often_missed=["AK"])
    alone = tune(labelled, [], Goals(budget=0.1), "")
    assert f"{alone.shares['all']:.0%} would be for all malignant together" in both.notes[0]
    assert both.notes[0].endswith("those of them that are rare or often missed (SCC, AK)")


def test_floors_hold_on_further_lesions_on_average() -> None:
    goals, malignant, rare = Goals(sensitivity=0.9, rare_sensitivity=0.8, budget=0), [], []
    for seed in range(25):
        policy = tune(world(300, 1.5, seed), ["SCC"], goals, "").policy
        further = world(1500, 1.5, 1000 + seed)
        sent, predicted = referred(policy, further.evidence, ISIC2019), further.evidence.predicted
        needs, place = needing_expert(ISIC2019), ISIC2019.index("SCC")
        malignant.append(missed(further, sent | needs[predicted], needs[further.labels]))
        rare.append(missed(further, sent | (predicted == place), further.labels == place))
    spread = [float(np.std(values) / 5) for values in (malignant, rare)]
    assert np.mean(malignant) <= 0.1 + 2 * spread[0]
    assert np.mean(rare) <= 0.2 + 2 * spread[1]
    assert np.mean(malignant) > 0.05, "no more is referred than the goal asks for"


def test_what_the_floors_leave_of_the_budget_is_spent_on_the_least_confident() -> None:
    labelled = world(600, 4.0, 0)
    tuned = tune(labelled, ["DF"], Goals(budget=0.5), "somewhere")
    sent = referred(tuned.policy, labelled.evidence, ISIC2019)
    assert 0.5 - 2 / sent.size <= sent.mean() <= 0.5
    assert tuned.shares["all"] == sent.mean()
    assert tuned.policy.mixed_sets
    assert tuned.notes == []
    assert tuned.policy.tuned_on == "somewhere"
    confidence = labelled.evidence.confidence
    assert confidence[~sent].min() >= tuned.policy.min_confidence > 0


def test_floors_win_over_the_budget_and_say_so() -> None:
    labelled = world(600, 1.0, 0)
    tuned = tune(labelled, ["SCC"], Goals(budget=0.1), "")
    assert tuned.shares["all"] > 0.1
    assert tuned.policy.min_confidence == 0
    assert not tuned.policy.mixed_sets
    assert f"the floors refer {tuned.shares['all']:.0%}" in tuned.notes[0]
    assert "sensitivity would be" in tuned.notes[1]
    assert tuned.notes[2].startswith("sets that hold a malignant class beside a benign one are no reason")
    assert tune(labelled, ["SCC"], Goals(budget=0.1), "") == tuned


def test_floors_of_benign_classes_are_as_high_as_the_budget_has_room_for() -> None:
    labelled, place = world(600, 1.5, 0), ISIC2019.index("DF")
    ought = labelled.labels == place
    safe = []
    for budget in (0.3, 0.45, 0.6, 0.9):
        tuned = tune(labelled, ["DF"], Goals(budget=budget), "")
        sent = referred(tuned.policy.model_copy(update={"min_confidence": 0.0}), labelled.evidence, ISIC2019)
        safe.append(1 - missed(labelled, sent | (labelled.evidence.predicted == place), ought))
        assert tuned.shares["all"] <= budget or tuned.policy.rare["DF"] == 1
        told = [note for note in tuned.notes if "benign class that is rare or often missed (DF)" in note]
        assert bool(told) == (safe[-1] < 0.9)
    assert safe == sorted(safe)
    assert safe[0] < 0.9 <= safe[-1]


def test_a_rare_class_with_few_lesions_gets_the_lowest_score_and_a_note() -> None:
    labelled = world(40, 2.0, 3)
    count = len({lesion for lesion, y in zip(labelled.lesions, labelled.labels, strict=True) if y == 5})
    tuned = tune(labelled, ["DF"], Goals(budget=1), "")
    assert 0 <= count < 9
    assert f"DF has {count} lesions to tune on: to promise 90% takes 9" in tuned.notes
    assert tuned.policy.rare["DF"] == min(labelled.evidence.probabilities[labelled.labels == 5, 5], default=1)


def test_the_curve_rises_from_few_referrals_to_many() -> None:
    curve = tune(world(800, 1.5, 1), [], Goals(), "").curve
    assert [point["sensitivity"] for point in curve] == list(SENSITIVITIES)
    shares = [point["referred"] for point in curve]
    assert shares == sorted(shares)
    assert all(point["safe"] is not None and point["safe"] >= point["sensitivity"] for point in curve), (
        "on the images tuned on the goal is met by a margin"
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_stricter_goal_never_refers_less(seed: int) -> None:
    """With floors of classes, which need less where suspicion already refers more."""
    curve = tune(world(800, 1.2, seed), ["SCC"], Goals(), "", often_missed=["MEL", "AK"]).curve
    shares = [point["referred"] for point in curve]
    assert shares == sorted(shares)
