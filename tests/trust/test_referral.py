"""Every rule of referral alone, together, and the plain answer."""

import numpy as np
import pytest

from transxv2s.taxonomy import ISIC2019, DiagnosticClass, Taxonomy
from transxv2s.trust.referral import Referral, decide, suspicion, suspicion_limit

MEL, NV, BCC, AK, BKL, DF, VASC, SCC = range(8)


def probabilities(**named: float) -> list[float]:
    """The named probabilities; what is left is shared by the other classes."""
    rest = (1 - sum(named.values())) / (len(ISIC2019) - len(named))
    return [named.get(code, rest) for code in ISIC2019.codes]


def judge(
    values: list[float], classes: list[int], notes: tuple[str, ...] = (), confidence: float | None = 0.5
) -> tuple[str, list[str]]:
    referral = None if confidence is None else Referral(min_confidence=confidence)
    return decide(values, classes, notes, ISIC2019, referral)


def test_a_sure_benign_finding_is_answered() -> None:
    assert judge(probabilities(NV=0.9), [NV]) == ("answer", [])


def test_a_benign_set_of_several_classes_is_answered() -> None:
    assert judge(probabilities(NV=0.6, BKL=0.3), [NV, BKL]) == ("answer", [])


@pytest.mark.parametrize(
    ("predicted", "name"),
    [
        (MEL, "melanoma"),
        (BCC, "basal cell carcinoma"),
        (AK, "actinic keratosis"),
        (SCC, "squamous cell carcinoma"),
    ],
)
def test_what_looks_malignant_or_precancerous_always_needs_an_expert(predicted: int, name: str) -> None:
    values = probabilities(**{ISIC2019.codes[predicted]: 0.99})
    assert judge(values, [predicted]) == (
        "expert_review",
        [f"looks most like {name}, which always needs an expert"],
    )


def test_a_set_that_may_be_malignant_needs_an_expert() -> None:
    decision, reasons = judge(probabilities(NV=0.6, MEL=0.3), [NV, MEL])
    assert (decision, reasons) == ("expert_review", ["could be melanocytic nevus or melanoma"])


def test_three_possible_classes_are_listed() -> None:
    _, reasons = judge(probabilities(BKL=0.6, NV=0.2, AK=0.1), [BKL, NV, AK])
    assert reasons == ["could be benign keratosis, melanocytic nevus or actinic keratosis"]


def test_low_confidence_needs_an_expert_and_the_limit_itself_does_not() -> None:
    decision, reasons = judge(probabilities(NV=0.574), [NV], confidence=0.575)
    assert (decision, reasons) == ("expert_review", ["confidence is below the 57.5 % that an answer needs"])
    assert judge(probabilities(NV=0.575), [NV], confidence=0.575)[0] == "answer"


def test_without_parameters_confidence_is_not_judged() -> None:
    assert judge(probabilities(NV=0.2), [NV], confidence=None) == ("answer", [])


def test_every_quality_note_is_a_reason() -> None:
    notes = ("the image is blurred", "the image is dark")
    assert judge(probabilities(NV=0.9), [NV], notes) == ("expert_review", list(notes))


def test_reasons_add_up() -> None:
    decision, reasons = judge(probabilities(MEL=0.4, NV=0.3), [MEL, NV], ("the image is blurred",))
    assert decision == "expert_review"
    assert [reason.split()[0] for reason in reasons] == ["looks", "could", "confidence", "the"]


def test_suspicion_adds_what_may_be_malignant_or_precancerous() -> None:
    values = [0.1, 0.3, 0.05, 0.02, 0.2, 0.2, 0.1, 0.03]
    assert float(suspicion(values, ISIC2019)) == pytest.approx(0.1 + 0.05 + 0.02 + 0.03)


def test_a_suspicion_at_the_limit_needs_an_expert_and_below_it_not() -> None:
    values = probabilities(NV=0.75, MEL=0.125, BCC=0, AK=0, SCC=0)
    assert decide(values, [NV], (), ISIC2019, Referral(min_confidence=0, max_suspicion=0.13))[0] == "answer"
    decision, reasons = decide(values, [NV], (), ISIC2019, Referral(min_confidence=0, max_suspicion=0.125))
    assert decision == "expert_review"
    assert reasons == ["the probability of a malignant or precancerous lesion is 12 %"]


@pytest.mark.parametrize("sensitivity", [0.5, 0.9, 0.95, 1.0])
def test_the_limit_refers_the_stated_share_and_no_higher_one_does(sensitivity: float) -> None:
    generator = np.random.default_rng(0)
    values = generator.dirichlet(np.ones(8), 200)
    labels = generator.integers(0, 8, 200)
    limit = suspicion_limit(values, labels, ISIC2019, sensitivity)
    ill = suspicion(values, ISIC2019)[np.isin(labels, [MEL, BCC, AK, SCC])]
    assert (ill >= limit).mean() >= sensitivity
    assert (ill > limit).mean() < sensitivity


def test_everything_is_referred_where_nothing_can_tell_the_limit() -> None:
    assert suspicion_limit([[1 / 8] * 8], [NV], ISIC2019, 0.95) == 0


def test_classes_of_unknown_behaviour_are_named_as_such_and_always_referred() -> None:
    wart = Taxonomy("own", (DiagnosticClass("WART", "wart", "unknown"), ISIC2019["NV"]))
    _, reasons = decide([0.4, 0.6], [1], (), wart, Referral(min_confidence=0, max_suspicion=0.3))
    assert reasons == ["the probability of a malignant, precancerous or unknown lesion is 40 %"]
    assert decide([0.9, 0.1], [0], (), wart, None)[0] == "expert_review"


def test_a_limit_where_every_class_needs_an_expert_stays_a_probability() -> None:
    classes = tuple(DiagnosticClass(code, code, "unknown") for code in "ABC")
    rows = [[0.1 + 0.2, 0.6, 0.1 + 1e-16]] * 4  # adds up to a little more than 1
    assert suspicion_limit(rows, [0, 1, 2, 0], Taxonomy("own", classes), 0.95) <= 1
