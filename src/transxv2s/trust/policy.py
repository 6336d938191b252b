"""The referral policy as data: a versioned part of a checkpoint's config.json. `rules` says what it means."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Decision = Literal["answer", "expert_review"]
Share = Annotated[float, Field(ge=0, le=1)]


class Goals(BaseModel):
    """What a policy was tuned for.

    Attributes:
        sensitivity: Share of the malignant or precancerous lesions to be recognised as such, or referred.
        rare_sensitivity: The same of the lesions of each rare or often missed class; of benign ones if the
            budget has room for it.
        budget: Share of all images that may be referred, where the floors of malignant and precancerous
            classes leave it room.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sensitivity: Share = 0.95
    rare_sensitivity: Share = 0.9
    budget: Share = 0.3


class ReferralPolicy(BaseModel):
    """When an expert must look: the rules' numbers.

    An image out of distribution or of bad quality and classes of which nothing is known are always referred.
    So are lesions whose views disagree, where it is known which images are of one lesion: see `views`.

    Attributes:
        version: Of the rules.
        min_confidence: Calibrated probability of the predicted class below which the system does not answer.
        max_suspicion: Sum of the probabilities of malignant and precancerous classes from which it does not
            answer that a lesion is benign.
        rare: By code of a class that is rare in training, the probability from which the lesion may be of it;
            a lesion that is named so is referred, too.
        often_missed: By code of a class that is not rare and that the network often misses, the probability
            from which a lesion that is named otherwise may be of it. None in policies of before, which do not
            tell the two apart: their `rare` holds both, and treats both as rare.
        mixed_sets: Whether a prediction set with a malignant class beside a benign one is a reason.
        goals: What these numbers were tuned for.
        tuned_on: On what, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    min_confidence: Share = 0.0
    max_suspicion: Share = 1.0
    rare: dict[str, Share] = {}
    often_missed: dict[str, Share] | None = None
    mixed_sets: bool = True
    goals: Goals = Goals()
    tuned_on: str = ""
