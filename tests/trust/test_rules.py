"""Every rule of referral alone and in plain words, and many images at once as one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transxv2s.taxonomy import ISIC2019, DiagnosticClass, Taxonomy
from transxv2s.trust.policy import ReferralPolicy
from transxv2s.trust.rules import RULES, Evidence, one_of, reasons, referred, referred_by

LAX = ReferralPolicy(mixed_sets=False)
LIMITS = st.dictionaries(st.sampled_from(ISIC2019.codes), st.floats(0, 1))


def evidence(
    *rows: dict[str, float],
    members: tuple[str, ...] = (),
    novel: bool = False,
    notes: tuple[str, ...] = (),
) -> Evidence:
    """The named probabilities, what is left shared by the other classes; the same findings for all rows."""
    values = [
        [row.get(code, (1 - sum(row.values())) / (len(ISIC2019) - len(row))) for code in ISIC2019.codes]
        for row in rows
    ]
    in_set = [
        [code in members or code == max(row, key=row.__getitem__) for code in ISIC2019.codes] for row in rows
    ]
    count, first = len(rows), np.array(values).argmax(axis=1)
    return Evidence(np.array(values), first, np.array(in_set), np.full(count, novel), [notes] * count)


def said(policy: ReferralPolicy, given_evidence: Evidence) -> list[str]:
    return reasons(policy, given_evidence, ISIC2019)[0]


def test_a_sure_benign_finding_is_answered() -> None:
    assert said(ReferralPolicy(), evidence({"NV": 0.95}, members=("NV", "BKL"))) == []


def test_a_sure_malignant_finding_is_answered() -> None:
    assert said(ReferralPolicy(max_suspicion=0.1), evidence({"MEL": 0.95})) == []


def test_suspicion_counts_malignant_and_precancerous_from_the_limit_on() -> None:
    found = evidence({"NV": 0.8, "MEL": 0.05, "AK": 0.05, "BCC": 0, "SCC": 0.0})
    (words,) = said(ReferralPolicy(max_suspicion=0.099), found)
    assert words == "is malignant or precancerous with a probability of 10 %: from 9.9 % an expert looks"
    assert said(ReferralPolicy(max_suspicion=0.101), found) == []


def test_a_mixed_set_is_listed_most_probable_first() -> None:
    found = evidence({"NV": 0.6, "MEL": 0.1, "BKL": 0.25}, members=("MEL", "BKL"))
    assert said(ReferralPolicy(), found) == ["could be melanocytic nevus, benign keratosis or melanoma"]
    assert said(LAX, found) == []


@pytest.mark.parametrize("members", [("NV", "BKL", "DF"), ("NV",)])
def test_a_set_of_benign_classes_is_no_reason(members: tuple[str, ...]) -> None:
    assert said(ReferralPolicy(), evidence({"NV": 0.9}, members=members)) == []


def test_what_may_be_rare_and_what_is_taken_for_it() -> None:
    policy = LAX.model_copy(update={"rare": {"DF": 0.05, "VASC": 1.0}})
    may_be = "which the network has seldom seen or often misses"
    assert said(policy, evidence({"NV": 0.9, "DF": 0.05})) == [f"may be dermatofibroma, {may_be}"]
    assert said(policy, evidence({"VASC": 0.9})) == [f"may be vascular lesion, {may_be}"]
    assert said(policy, evidence({"NV": 0.9, "DF": 0.04})) == []


def test_an_often_missed_class_is_answered_when_it_is_named_and_suspected_when_it_is_not() -> None:
    policy = LAX.model_copy(update={"rare": {"DF": 0.05}, "often_missed": {"MEL": 0.1}})
    assert said(policy, evidence({"MEL": 0.95})) == []
    assert said(policy, evidence({"NV": 0.8, "MEL": 0.1})) == [
        "may be melanoma, which the network often misses"
    ]
    assert said(policy, evidence({"NV": 0.8, "MEL": 0.09})) == []
    assert said(policy, evidence({"DF": 0.9})) == ["may be dermatofibroma, which the network has seldom seen"]


def test_a_policy_of_before_treats_all_its_classes_as_rare() -> None:
    policy = ReferralPolicy.model_validate({"version": 1, "rare": {"DF": 0.05, "MEL": 0.1}})
    words = "may be melanoma, which the network has seldom seen or often misses"
    assert said(policy, evidence({"MEL": 0.95})) == [words]


def test_low_confidence_and_the_limit_itself() -> None:
    policy = LAX.model_copy(update={"min_confidence": 0.6})
    words = "is melanocytic nevus with a probability of only 55 %: an answer needs 60 %"
    assert said(policy, evidence({"NV": 0.55})) == [words]
    assert said(policy, evidence({"NV": 0.6})) == []


def test_novelty_and_quality() -> None:
    found = evidence({"NV": 0.9}, novel=True, notes=("it is blurred", "it is dark"))
    assert said(LAX, found) == [
        "is unlike the images that the network learnt from",
        "it is blurred",
        "it is dark",
    ]


def test_classes_of_which_nothing_is_known_are_never_answered() -> None:
    own = Taxonomy("own", (DiagnosticClass("WART", "wart", "unknown"), ISIC2019["NV"]))
    none = np.zeros(1, bool)
    found = Evidence(np.array([[0.9, 0.1]]), np.array([0]), np.array([[True, False]]), none, [()])
    (words,) = reasons(LAX, found, own)[0]
    assert words == "looks most like wart, of which it is not known whether it is benign"
    benign = Evidence(np.array([[0.4, 0.6]]), np.array([1]), np.array([[False, True]]), none, [()])
    (words,) = reasons(LAX.model_copy(update={"max_suspicion": 0.3}), benign, own)[0]
    assert words.startswith("is malignant, precancerous or unknown with a probability of 40 %")


@given(
    st.lists(st.lists(st.floats(0.01, 1), min_size=8, max_size=8), min_size=1, max_size=6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.tuples(LIMITS, st.none() | LIMITS),
    st.booleans(),
)
def test_one_image_meets_what_many_meet(
    rows: list[list[float]],
    confidence: float,
    suspicion: float,
    limits: tuple[dict[str, float], dict[str, float] | None],
    mixed: bool,
) -> None:
    policy = ReferralPolicy(
        min_confidence=confidence,
        max_suspicion=suspicion,
        rare=limits[0],
        often_missed=limits[1],
        mixed_sets=mixed,
    )
    values = np.array(rows) / np.array(rows).sum(axis=1, keepdims=True)
    members, none = values >= 0.2, np.zeros(len(rows), bool)
    together = Evidence(values, values.argmax(1), members, none, [()] * len(rows))
    words = reasons(policy, together, ISIC2019)
    assert [bool(w) for w in words] == referred(policy, together, ISIC2019).tolist()
    assert set(referred_by(policy, together, ISIC2019)) == set(RULES)
    for i in range(len(rows)):
        alone = Evidence(values[i : i + 1], values[i : i + 1].argmax(1), members[i : i + 1], none[:1], [()])
        assert reasons(policy, alone, ISIC2019) == [words[i]]


def test_one_of() -> None:
    assert [one_of(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]


def test_a_policy_comes_back_from_json() -> None:
    policy = ReferralPolicy(min_confidence=0.5, max_suspicion=0.1, rare={"DF": 0.01})
    assert ReferralPolicy.model_validate_json(policy.model_dump_json()) == policy
    with pytest.raises(ValueError, match="version"):
        ReferralPolicy.model_validate({"version": 2})
