"""The rules of referral: when the system answers, when it hands an image to an expert, and why.

Each rule looks at the evidence of many images at once and says for one of them in plain words what it found,
so that what is tuned and scored on thousands of images is what a single image meets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transxv2s.taxonomy import DiagnosticClass, Taxonomy
from transxv2s.trust.policy import ReferralPolicy

Booleans = NDArray[np.bool_]
LEAST = 1e-4  # of the probabilities that are told in figures


@dataclass(frozen=True)
class Evidence:
    """What is known of N images.

    Attributes:
        probabilities: Calibrated, (N, K).
        predicted: Position of the class that is named, (N,); not always the most probable one.
        members: Which classes are in the prediction set, (N, K).
        novel: Whether an image is out of distribution, (N,).
        quality: What is wrong with each image, in words.
    """

    probabilities: NDArray[np.float64]
    predicted: NDArray[np.intp]
    members: Booleans
    novel: Booleans
    quality: Sequence[Sequence[str]]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of the class that is named, (N,)."""
        return np.asarray(self.probabilities[np.arange(len(self.predicted)), self.predicted])

    def suspicion(self, taxonomy: Taxonomy) -> NDArray[np.float64]:
        """Probability that a lesion is of a class that needs an expert, (N,)."""
        return np.asarray(self.probabilities[:, needing_expert(taxonomy)].sum(axis=1))


class Rule(NamedTuple):
    """One reason for referral.

    Attributes:
        applies: To which of N images, (N,).
        words: What is said of one image that it applies to, one reason or more.
    """

    applies: Callable[[ReferralPolicy, Evidence, Taxonomy], Booleans]
    words: Callable[[ReferralPolicy, Evidence, Taxonomy, int], Sequence[str]]


def needing_expert(taxonomy: Taxonomy) -> Booleans:
    """Which classes are not benign, (K,)."""
    return np.array([c.needs_expert for c in taxonomy.classes])


def referred_by(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> dict[str, Booleans]:
    """By the name of each rule, which images it refers, (N,)."""
    return {name: rule.applies(policy, evidence, taxonomy) for name, rule in RULES.items()}


def referred(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> Booleans:
    """Which images any rule refers, (N,)."""
    return np.asarray(np.any(list(referred_by(policy, evidence, taxonomy).values()), axis=0))


def reasons(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> list[list[str]]:
    """Of each image the reasons why an expert must look; none where the system answers."""
    found = referred_by(policy, evidence, taxonomy)
    return [
        [
            words
            for name, rule in RULES.items()
            if found[name][i]
            for words in rule.words(policy, evidence, taxonomy, i)
        ]
        for i in range(len(evidence.probabilities))
    ]


def one_of(names: Sequence[str]) -> str:
    """'a', 'a or b', 'a, b or c'."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _unknown(_: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> Booleans:
    return np.isin(evidence.predicted, taxonomy.positions("unknown"))


def _unknown_words(_: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy, i: int) -> Sequence[str]:
    name = _class(evidence, taxonomy, i).name
    return [f"looks most like {name}, of which it is not known whether it is benign"]


def _suspicious(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> Booleans:
    benign = ~needing_expert(taxonomy)[evidence.predicted]
    return np.asarray(benign & (evidence.suspicion(taxonomy) >= policy.max_suspicion))


def _suspicious_words(
    policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy, i: int
) -> Sequence[str]:
    chance, limit = (_percent(p) for p in (evidence.suspicion(taxonomy)[i], policy.max_suspicion))
    when = f"from {limit} an expert looks" if policy.max_suspicion else "an expert looks at every such answer"
    return [f"is {_suspects(taxonomy)} with a probability of {chance}: {when}"]


def _mixed(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> Booleans:
    needs = needing_expert(taxonomy)
    both = evidence.members[:, needs].any(axis=1) & evidence.members[:, ~needs].any(axis=1)
    return np.asarray(both & policy.mixed_sets)


def _mixed_words(_: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy, i: int) -> Sequence[str]:
    order = np.argsort(-evidence.probabilities[i], kind="stable")
    names = [taxonomy.classes[k].name for k in order if evidence.members[i, k]]
    return [f"could be {one_of(names)}"]


def _named(evidence: Evidence) -> Booleans:
    """Which class is named, (N, K)."""
    return np.asarray(np.arange(evidence.probabilities.shape[1]) == evidence.predicted[:, None])


def _limits(limits: Mapping[str, float], taxonomy: Taxonomy) -> NDArray[np.float64]:
    """(K,), infinite for a class without a limit."""
    return np.array([limits.get(code, np.inf) for code in taxonomy.codes])


def _rare_classes(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> Booleans:
    """Which rare classes an image may be of, (N, K)."""
    limits = _limits(policy.rare, taxonomy)
    return np.asarray((evidence.probabilities >= limits) | (_named(evidence) & np.isfinite(limits)))


def _rare(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> Booleans:
    return np.asarray(_rare_classes(policy, evidence, taxonomy).any(axis=1))


def _rare_words(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy, i: int) -> Sequence[str]:
    possible = _may_be(_rare_classes(policy, evidence, taxonomy)[i], taxonomy)
    told_apart = policy.often_missed is not None
    return [f"{possible}, which the network has seldom seen{'' if told_apart else ' or often misses'}"]


def _missed_classes(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> Booleans:
    """Which often missed classes an image that is named otherwise may be of, (N, K)."""
    limits = _limits(policy.often_missed or {}, taxonomy)
    return np.asarray((evidence.probabilities >= limits) & ~_named(evidence))


def _missed(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy) -> Booleans:
    return np.asarray(_missed_classes(policy, evidence, taxonomy).any(axis=1))


def _missed_words(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy, i: int) -> Sequence[str]:
    possible = _may_be(_missed_classes(policy, evidence, taxonomy)[i], taxonomy)
    return [f"{possible}, which the network often misses"]


def _unsure(policy: ReferralPolicy, evidence: Evidence, _: Taxonomy) -> Booleans:
    return np.asarray(evidence.confidence < policy.min_confidence)


def _unsure_words(policy: ReferralPolicy, evidence: Evidence, taxonomy: Taxonomy, i: int) -> Sequence[str]:
    name, chance = _class(evidence, taxonomy, i).name, _percent(float(evidence.confidence[i]))
    return [
        f"is {name} with a probability of only {chance}: an answer needs {_percent(policy.min_confidence)}"
    ]


def _poor(_: ReferralPolicy, evidence: Evidence, __: Taxonomy) -> Booleans:
    return np.array([bool(notes) for notes in evidence.quality], dtype=bool)


def _poor_words(_: ReferralPolicy, evidence: Evidence, __: Taxonomy, i: int) -> Sequence[str]:
    return evidence.quality[i]


RULES = {
    "unknown class": Rule(_unknown, _unknown_words),
    "suspicion": Rule(_suspicious, _suspicious_words),
    "mixed set": Rule(_mixed, _mixed_words),
    "rare class": Rule(_rare, _rare_words),
    "often missed class": Rule(_missed, _missed_words),
    "confidence": Rule(_unsure, _unsure_words),
    "novelty": Rule(
        lambda _, evidence, __: evidence.novel,
        lambda *_: ["is unlike the images that the network learnt from"],
    ),
    "quality": Rule(_poor, _poor_words),
}


def _may_be(possible: Booleans, taxonomy: Taxonomy) -> str:
    names = [c.name for c, may_be in zip(taxonomy.classes, possible, strict=True) if may_be]
    return f"may be {one_of(names)}"


def _class(evidence: Evidence, taxonomy: Taxonomy, i: int) -> DiagnosticClass:
    return taxonomy.classes[int(evidence.predicted[i])]


def _suspects(taxonomy: Taxonomy) -> str:
    """Behaviours that need an expert; the third exists only where a class was trained without saying more."""
    unknown = taxonomy.positions("unknown")
    return "malignant, precancerous or unknown" if unknown else "malignant or precancerous"


def _percent(share: float) -> str:
    """With enough digits to tell small shares from none: under 0.01 %, 0.4 %, 7 %, 57 %."""
    if 0 < share < LEAST:
        return f"under {100 * LEAST:g} %"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
