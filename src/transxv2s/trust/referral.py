"""When the system answers, and when it hands the image to an expert, with reasons in plain words."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from transxv2s.taxonomy import Taxonomy

Decision = Literal["answer", "expert_review"]


class Referral(BaseModel):
    """Parameters of the referral rules.

    Attributes:
        min_confidence: Calibrated probability of the predicted class, in [0, 1], below which the system does
            not answer alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_confidence: float = Field(ge=0, le=1)


def decide(
    probabilities: Sequence[float],
    prediction_set: Sequence[int],
    quality_notes: Sequence[str],
    taxonomy: Taxonomy,
    referral: Referral | None,
) -> tuple[Decision, list[str]]:
    """Answer, or refer to an expert and say why.

    Args:
        probabilities: Of one image, in taxonomy order.
        prediction_set: Class indices, the predicted class first.
        quality_notes: What is wrong with the image, in words; each is a reason.
        taxonomy: The classes and which of them need an expert.
        referral: The rules' parameters; None leaves out the rule on confidence.

    Returns:
        The decision, and its reasons (none for "answer").
    """
    possible = [taxonomy.classes[k] for k in prediction_set]
    predicted = possible[0]
    reasons = []
    if predicted.needs_expert:
        reasons.append(f"looks most like {predicted.name}, which always needs an expert")
    if len(possible) > 1 and any(c.needs_expert for c in possible):
        reasons.append(f"could be {_one_of([c.name for c in possible])}")
    if referral is not None and probabilities[prediction_set[0]] < referral.min_confidence:
        reasons.append(f"confidence is below the {100 * referral.min_confidence:g} % that an answer needs")
    reasons.extend(quality_notes)
    return ("expert_review" if reasons else "answer"), reasons


def _one_of(names: Sequence[str]) -> str:
    """'a or b', 'a, b or c'."""
    return f"{', '.join(names[:-1])} or {names[-1]}"
