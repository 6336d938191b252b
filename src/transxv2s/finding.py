"""What is said of one image: the same JSON from the command line, the batch engine and the server."""

import math
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from transxv2s import NOTICE
from transxv2s.trust.policy import Decision


class Finding(BaseModel):
    """The answer to one image.

    Attributes:
        id: Name of the image, unique within a run.
        probabilities: Class code → probability in taxonomy order; sums to 1.
        predicted: Code of the predicted class; where rare classes count like common ones, this need not be
            the most probable one.
        predicted_name: Its name in words.
        prediction_set: Codes the lesion may be of, most probable first; never empty.
        may_be: The same in words: "melanoma or melanocytic nevus".
        decision: "answer", or "expert_review" when the system does not answer alone.
        reasons: Why an expert must look, in plain words; empty exactly when the decision is "answer".
        advice: What to do about an answer; empty where the lesion is said to be benign, or is referred.
        quality: What is wrong with the image, in plain words.
        model: Variant of the network.
        checkpoint: Digest of the checkpoint.
        notice: What this is not: a diagnosis.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    probabilities: dict[str, float]
    predicted: str
    predicted_name: str
    prediction_set: list[str]
    may_be: str
    decision: Decision
    reasons: list[str]
    advice: str
    quality: list[str]
    model: str
    checkpoint: str
    notice: str = NOTICE

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if not math.isclose(sum(self.probabilities.values()), 1, abs_tol=1e-6):
            raise ValueError("the probabilities do not sum to 1")
        if not self.prediction_set or not {self.predicted, *self.prediction_set} <= self.probabilities.keys():
            raise ValueError("the prediction set is empty or names a class without a probability")
        if (self.decision == "answer") == bool(self.reasons):
            raise ValueError("expert_review needs reasons, and answer has none")
        return self

    def to_json(self) -> str:
        """The finding as indented JSON; `Finding.model_validate_json` reads it back."""
        return self.model_dump_json(indent=2)
