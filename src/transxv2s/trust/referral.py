"""When the system answers, and when it hands the image to an expert, with reasons in plain words."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from transxv2s.taxonomy import Taxonomy

Decision = Literal["answer", "expert_review"]


class Referral(BaseModel):
    """Parameters of the referral rules.

    Attributes:
        min_confidence: Calibrated probability of the predicted class, in [0, 1], below which the system does
            not answer alone.
        max_suspicion: Sum of the probabilities of all classes that need an expert, in [0, 1], from which the
            system does not answer alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_confidence: float = Field(ge=0, le=1)
    max_suspicion: float = Field(default=1.0, ge=0, le=1)


def suspicion(probabilities: ArrayLike, taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Probability (…) that a lesion is of a class that needs an expert, from probabilities (…, K)."""
    needs_expert = [c.needs_expert for c in taxonomy.classes]
    return np.asarray(np.asarray(probabilities, dtype=np.float64)[..., needs_expert].sum(axis=-1))


def suspicion_limit(
    probabilities: ArrayLike, labels: ArrayLike, taxonomy: Taxonomy, sensitivity: float
) -> float:
    """The highest `max_suspicion` that refers at least this share of the lesions that need an expert.

    Args:
        probabilities: Calibrated, shape (N, K), of images not used for training.
        labels: Class indices, shape (N,).
        taxonomy: The classes and which of them need an expert.
        sensitivity: In (0, 1].

    Returns:
        In [0, 1]; 0, which refers everything, where no image is of a class that needs an expert.
    """
    needs_expert = np.array([c.needs_expert for c in taxonomy.classes])[np.asarray(labels)]
    values = np.sort(suspicion(probabilities, taxonomy)[needs_expert])
    if values.size == 0:
        return 0.0
    missed = math.floor(
        round((1 - sensitivity) * values.size, 9)
    )  # rounded: 0.05 · 200 is 10.000000000000009
    return min(
        float(values[min(missed, values.size - 1)]), 1.0
    )  # a sum of all classes may exceed 1 by an ulp


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
    if (
        referral is not None
        and (chance := float(suspicion(probabilities, taxonomy))) >= referral.max_suspicion
    ):
        reasons.append(f"the probability of a {_suspects(taxonomy)} lesion is {100 * chance:.0f} %")
    if referral is not None and probabilities[prediction_set[0]] < referral.min_confidence:
        reasons.append(f"confidence is below the {100 * referral.min_confidence:g} % that an answer needs")
    reasons.extend(quality_notes)
    return ("expert_review" if reasons else "answer"), reasons


def _suspects(taxonomy: Taxonomy) -> str:
    """Behaviours that need an expert; the third exists only where a class was trained without saying more."""
    unknown = taxonomy.positions("unknown")
    return "malignant, precancerous or unknown" if unknown else "malignant or precancerous"


def _one_of(names: Sequence[str]) -> str:
    """'a or b', 'a, b or c'."""
    return f"{', '.join(names[:-1])} or {names[-1]}"
