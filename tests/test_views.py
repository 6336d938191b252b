"""Views of a lesion that disagree are referred, and nothing else changes."""

import pytest

from transxv2s.finding import Finding
from transxv2s.taxonomy import ISIC2019
from transxv2s.views import ANOTHER, DISAGREE, with_views


def finding(name: str, code: str, *reasons: str) -> Finding:
    rest = 0.1 / 7
    return Finding(
        id=name,
        probabilities={c: 0.9 if c == code else rest for c in ISIC2019.codes},
        predicted=code,
        predicted_name=ISIC2019[code].name,
        prediction_set=[code],
        may_be=ISIC2019[code].name,
        decision="expert_review" if reasons else "answer",
        reasons=list(reasons),
        advice="" if reasons else "see someone",
        quality=[],
        model="m",
        checkpoint="c",
    )


def test_all_views_of_a_torn_lesion_are_referred() -> None:
    given = [finding("a", "NV"), finding("b", "MEL", "blurred"), finding("c", "NV"), finding("d", "BCC")]
    found = with_views(given, {"a": "one", "b": "one", "c": "two"})
    assert DISAGREE == "views of this lesion are predicted differently"
    assert [f.reasons for f in found] == [[DISAGREE], ["blurred", DISAGREE], [], []]
    assert [f.decision for f in found] == ["expert_review", "expert_review", "answer", "answer"]
    assert [f.advice for f in found] == ["", "", "see someone", "see someone"]
    assert found[2:] == given[2:]
    for one in found:
        assert Finding.model_validate_json(one.to_json()) == one


@pytest.mark.parametrize("lesions", [{}, {"a": "one", "b": "one"}, {"a": "one", "b": "two"}])
def test_views_that_agree_or_are_of_other_lesions_are_left_alone(lesions: dict[str, str]) -> None:
    given = [finding("a", "NV"), finding("b", "NV"), finding("x", "MEL")]
    assert with_views(given, lesions) == given


def test_what_one_view_shows_counts_for_the_lesion() -> None:
    given = [finding("a", "NV"), finding("b", "NV", "may be melanoma"), finding("c", "NV")]
    found = with_views(given, {"a": "one", "b": "one", "c": "two"})
    assert [f.reasons for f in found] == [[ANOTHER], ["may be melanoma"], []]
    assert [f.decision for f in found] == ["expert_review", "expert_review", "answer"]


def test_a_poor_picture_leaves_the_answer_to_a_better_one() -> None:
    poor = finding("b", "NV", "very blurred").model_copy(update={"quality": ["very blurred"]})
    given = [finding("a", "NV"), poor]
    assert with_views(given, {"a": "one", "b": "one"}) == given
