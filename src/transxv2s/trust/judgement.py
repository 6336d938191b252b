"""From what the network says of images to what is said of them: probabilities, sets, novelty, reasons."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict

from transxv2s.taxonomy import Taxonomy
from transxv2s.trust.adjustment import Floats, LogitAdjustment
from transxv2s.trust.calibration import softmax
from transxv2s.trust.conformal import PredictionSets
from transxv2s.trust.novelty import Novelty, NoveltyScore
from transxv2s.trust.policy import ReferralPolicy
from transxv2s.trust.rules import Booleans, Evidence, reasons
from transxv2s.trust.scaling import Scaling


class Trust(BaseModel):
    """How far the network can be trusted: a part of a checkpoint's config.json, written by `calibrate`.

    Attributes:
        scaling: From logits to calibrated probabilities.
        adjustment: From these to the class that is named; None names the most probable one.
        sets: From the probabilities to prediction sets.
        novelty: From where on an image is out of distribution; None leaves that out.
        policy: When an expert must look.
        fitted_on: Which images, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scaling: Scaling
    adjustment: LogitAdjustment | None = None
    sets: PredictionSets
    novelty: Novelty | None = None
    policy: ReferralPolicy
    fitted_on: str

    def adjusted(self, probabilities: Floats) -> Floats:
        """(N, K), of which the greatest is the class that is named; without adjustment the probabilities."""
        return self.adjustment.adjusted(probabilities) if self.adjustment else probabilities

    def evidence(
        self,
        probabilities: Floats,
        novel: Booleans,
        quality: Sequence[Sequence[str]],
        groups: Sequence[str | None] | None = None,
    ) -> Evidence:
        """What is known of N images with calibrated probabilities (N, K). The class named is in its set."""
        predicted = self.adjusted(probabilities).argmax(axis=1)
        members = self.sets.sets(probabilities, groups)
        members[np.arange(len(members)), predicted] = True
        return Evidence(probabilities, predicted, members, novel, quality)


def scores_of(trust: Trust | None, logits: ArrayLike) -> tuple[Floats, Floats]:
    """Of logits (N, K) the probabilities, and the scores whose greatest is the class named; each (N, K)."""
    probabilities = trust.scaling.probabilities(logits) if trust else softmax(logits)
    return probabilities, adjusted(trust, probabilities)


def adjusted(trust: Trust | None, probabilities: Floats) -> Floats:
    """As `Trust.adjusted`; without trust the probabilities."""
    return trust.adjusted(probabilities) if trust else probabilities


@dataclass(frozen=True)
class Judge:
    """Trust at work.

    Attributes:
        trust: Its numbers.
        taxonomy: The classes, in the order of the logits.
        score: What `trust.novelty` is the threshold of.
    """

    trust: Trust
    taxonomy: Taxonomy
    score: NoveltyScore | None = None

    def evidence(
        self,
        logits: ArrayLike,
        features: ArrayLike,
        quality: Sequence[Sequence[str]],
        groups: Sequence[str | None] | None = None,
    ) -> Evidence:
        """What is known of N images.

        Args:
            logits: (N, K).
            features: What the network's last layer classifies, (N, F).
            quality: What is wrong with each image, in words.
            groups: Of each image, if the sets were fitted by group.
        """
        novel = novel_images(self.trust.novelty, self.score, logits, features)
        return self.trust.evidence(self.trust.scaling.probabilities(logits), novel, quality, groups)

    def reasons(self, evidence: Evidence) -> list[list[str]]:
        """Of each image why an expert must look; none where the system answers."""
        return reasons(self.trust.policy, evidence, self.taxonomy)


def novel_images(
    novelty: Novelty | None, score: NoveltyScore | None, logits: ArrayLike, features: ArrayLike
) -> Booleans:
    """Which of N images are out of distribution (N,); none where there is no score."""
    if novelty is None or score is None:
        return np.zeros(len(np.asarray(logits)), dtype=bool)
    return novelty.is_novel(score.scores(logits, features))


def advice(code: str, taxonomy: Taxonomy) -> str:
    """What to do about an answer, in a sentence; nothing where the lesion is said to be benign."""
    found = taxonomy[code]
    if not found.needs_expert:
        return ""
    what = "may need treatment" if found.behaviour == "unknown" else f"is {found.behaviour}"
    return (
        f"A lesion of this kind ({found.name}) {what}: a dermatologist must see it, however sure the answer."
    )
