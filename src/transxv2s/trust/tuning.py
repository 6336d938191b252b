"""Chooses the numbers of a referral policy on labelled images that the network was not trained on.

The floors of safety come first: conformal risk control (Angelopoulos et al. 2022) picks the limits on
suspicion and on each rare or often missed class that needs an expert such that a further lesion is missed
with no more than the stated probability. Where they alone need more than the budget, they get it. What they
leave of it goes to the floors of benign rare or often missed classes as far as there is room, to mixed
prediction sets if there is room for all of them, and to the least confident answers. What could not be had
stands in `Tuned.notes`.
"""

import math
import sys
from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transxv2s.scoring.bootstrap import lesion_numbers
from transxv2s.scoring.shares import lesion_shares
from transxv2s.taxonomy import Taxonomy
from transxv2s.trust.policy import Goals, ReferralPolicy
from transxv2s.trust.rules import Booleans, Evidence, needing_expert, referred, referred_by

Floats = NDArray[np.float64]
FLOORED = ("rare", "often_missed")  # fields of a policy: classes with floors of their own
NEVER = 1.0  # a limit that certainty alone reaches
TOLERANCE = 1e-9  # of sums: three times 1/3 is not quite 1, and 1 - 0.9 is not quite 0.1
STEP = 0.1  # by which the goal of benign classes is lowered until the budget has room
SENSITIVITIES = (0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99)


class Point(TypedDict):
    """What a policy does on labelled images; shares, None where there is no such image.

    Attributes:
        sensitivity: The goal it was tuned for.
        max_suspicion: Of the policy.
        referred: Of all images, as the budget counts.
        safe: Of the malignant or precancerous lesions, as the floors count: recognised as such, or referred.
        accuracy_of_answers: Right among the images not referred.
    """

    sensitivity: float
    max_suspicion: float
    referred: float
    safe: float | None
    accuracy_of_answers: float | None


class Tuned(NamedTuple):
    """A policy, and what it rests on.

    Attributes:
        policy: The policy.
        shares: Of all images, what each rule alone refers, and `all` of them.
        floors: Of all images, what the floors of safety refer before anything else.
        curve: What the floors of safety alone refer and reach, by sensitivity.
        without_rare: The same with the floor for the malignant together alone.
        notes: What the goals could not have at once, in words.
    """

    policy: ReferralPolicy
    shares: dict[str, float]
    floors: float
    curve: list[Point]
    without_rare: list[Point]
    notes: list[str]


class Labelled(NamedTuple):
    """Evidence with its truth.

    Attributes:
        evidence: Of N images.
        labels: (N,).
        lesions: Of each image its lesion: that, not the image, is what is missed or not.
        taxonomy: The classes.
    """

    evidence: Evidence
    labels: NDArray[np.intp]
    lesions: Sequence[str]
    taxonomy: Taxonomy


def risk_limit(scores: ArrayLike, lesions: Sequence[str], caught: ArrayLike, risk: float) -> float:
    """The highest limit t in [0, 1] at which a further lesion is missed with probability at most `risk`.

    An image is missed if nothing else caught it and its score is below t; the loss L of a lesion is the share
    of its images that are missed. Conformal risk control takes the highest t with (Σ L + 1) / (n + 1) ≤ risk
    over the n lesions given; where there is none, 0, which misses nothing.

    Args:
        scores: In [0, 1], of images that ought to be caught, (N,).
        lesions: Of each image.
        caught: Whether something else catches it, (N,).
        risk: In [0, 1].
    """
    values, free = np.asarray(scores, dtype=np.float64), ~np.asarray(caught, dtype=bool)
    _, lesion, images = np.unique(np.asarray(lesions, dtype=object), return_inverse=True, return_counts=True)
    allowed = risk * (len(images) + 1) - 1
    order = np.argsort(values[free], kind="stable")
    missed = np.cumsum((1 / images[lesion])[free][order])  # if t lay just above this score
    if allowed < -TOLERANCE:
        return 0.0
    beyond = np.flatnonzero(missed > allowed + TOLERANCE)
    return min(float(values[free][order][beyond[0]]), 1.0) if beyond.size else 1.0


def lesions_needed(risk: float) -> int:
    """Of how many lesions risk control can promise anything: the least n with 1 / (n + 1) ≤ risk."""
    return math.ceil(1 / risk - TOLERANCE) - 1 if risk > 0 else sys.maxsize


def tune(
    labelled: Labelled, rare: Sequence[str], goals: Goals, tuned_on: str, *, often_missed: Sequence[str] = ()
) -> Tuned:
    """The policy for these goals.

    Args:
        labelled: Images that the network was not trained on, with calibrated probabilities.
        rare: Codes of classes that have a floor of their own, since they are rare in training.
        goals: What to reach.
        tuned_on: What the images are, in words.
        often_missed: Codes of other classes that have a floor of their own.
    """
    start = ReferralPolicy(
        rare=dict.fromkeys(rare, NEVER),
        often_missed=dict.fromkeys(often_missed, NEVER),
        mixed_sets=False,
        goals=goals,
        tuned_on=tuned_on,
    )
    floors = _floors(start, labelled)
    whole, benign_note = _with_benign(floors, labelled)
    with_sets = whole.model_copy(update={"mixed_sets": True})
    fits = _share(with_sets, labelled) <= goals.budget
    policy = _spend(with_sets if fits else whole, labelled)
    curve, without_rare = (_curve(chosen, labelled) for chosen in (floors, _malignant_alone(floors)))
    found = referred_by(policy, labelled.evidence, labelled.taxonomy)
    shares = {name: float(mask.mean()) for name, mask in found.items()} | {"all": _share(policy, labelled)}
    notes = [*_few_notes(floors, labelled), *_budget_notes(floors, labelled, without_rare), *benign_note]
    notes += [] if fits else [_mixed_note(with_sets, labelled)]
    return Tuned(policy, shares, _share(floors, labelled), curve, without_rare, notes)


def _floors(policy: ReferralPolicy, labelled: Labelled) -> ReferralPolicy:
    """Limits on suspicion and on each named class that needs an expert, in turn, given what is referred.

    Suspicion comes last, or first with its goal or a stricter one, of which the classes then need less:
    whichever refers fewest images.
    """
    unset = {field: dict.fromkeys(getattr(policy, field), NEVER) for field in FLOORED}
    blank = policy.model_copy(update={"max_suspicion": NEVER, **unset})
    codes, goal = _floored(policy, labelled.taxonomy, benign=False), policy.goals.sensitivity
    ways = [_with_suspicion(_with_classes(blank, labelled, codes), labelled, goal)]
    for aim in (goal, *(stricter for stricter in SENSITIVITIES if stricter > goal)):
        ways.append(_with_classes(_with_suspicion(blank, labelled, aim), labelled, codes))
    return min(ways, key=lambda chosen: _share(chosen, labelled))


def _with_benign(floors: ReferralPolicy, labelled: Labelled) -> tuple[ReferralPolicy, list[str]]:
    """With floors of benign classes, as high as the budget has room for, and a note if that is too low."""
    codes, goals = _floored(floors, labelled.taxonomy, benign=True), floors.goals
    if not codes:
        return floors, []
    steps = max(1, int(goals.rare_sensitivity / STEP + TOLERANCE))
    aims = [goals.rare_sensitivity - STEP * step for step in range(steps)]
    policies = [_with_classes(floors, labelled, codes, aim) for aim in aims]
    shares = [_share(policy, labelled) for policy in policies]
    fitting = [i for i, share in enumerate(shares) if share <= goals.budget]
    if fitting[:1] == [0]:
        return policies[0], []
    note = (
        f"to recognise or refer {goals.rare_sensitivity:.0%} of each benign class that is rare or often "
        f"missed ({', '.join(codes)}) would refer {shares[0]:.0%} of the images: the budget has "
        + (f"room for {aims[fitting[0]]:.0%} of each" if fitting else "no room for a floor of theirs")
    )
    return policies[fitting[0]] if fitting else floors, [note]


def _malignant_alone(policy: ReferralPolicy) -> ReferralPolicy:
    """Without floors for classes."""
    return policy.model_copy(update={field: {} for field in FLOORED})


def _with_suspicion(policy: ReferralPolicy, labelled: Labelled, aim: float) -> ReferralPolicy:
    return policy.model_copy(update={"max_suspicion": _suspicion_limit(policy, labelled, aim)})


def _with_classes(
    policy: ReferralPolicy, labelled: Labelled, codes: Sequence[str], aim: float | None = None
) -> ReferralPolicy:
    """With limits on these classes; their goal is the policy's, or another."""
    risk = 1 - (policy.goals.rare_sensitivity if aim is None else aim)
    for field in FLOORED:
        for code in (code for code in getattr(policy, field) if code in codes):
            limit = _class_limit(policy, labelled, labelled.taxonomy.index(code), risk)
            policy = policy.model_copy(update={field: getattr(policy, field) | {code: limit}})
    return policy


def _suspicion_limit(policy: ReferralPolicy, labelled: Labelled, aim: float) -> float:
    """Too few lesions for a promise get 0, by which every benign answer is referred."""
    evidence, taxonomy = labelled.evidence, labelled.taxonomy
    needs = needing_expert(taxonomy)
    if not needs.any():
        return NEVER
    ought = needs[labelled.labels]
    caught = needs[evidence.predicted] | referred(policy, evidence, taxonomy)
    scores, lesions = evidence.suspicion(taxonomy)[ought], list(compress(labelled.lesions, ought))
    return risk_limit(scores, lesions, caught[ought], 1 - aim)


def _class_limit(policy: ReferralPolicy, labelled: Labelled, place: int, risk: float) -> float:
    """Too few lesions for a promise get the lowest score seen: a limit of 0 would refer every image."""
    evidence, ought = labelled.evidence, labelled.labels == place
    caught = (evidence.predicted == place) | referred(policy, evidence, labelled.taxonomy)
    lesions = list(compress(labelled.lesions, ought))
    scores = evidence.probabilities[ought, place]
    if len(set(lesions)) < lesions_needed(risk):
        return float(min(scores, default=1.0))
    return risk_limit(scores, lesions, caught[ought], risk)


def _spend(policy: ReferralPolicy, labelled: Labelled) -> ReferralPolicy:
    """What is left of the budget goes to the least confident answers."""
    answered = ~referred(policy, labelled.evidence, labelled.taxonomy)
    room = int(policy.goals.budget * answered.size + TOLERANCE) - int((~answered).sum())
    confidence = np.sort(labelled.evidence.confidence[answered])
    limit = float(confidence[min(room, confidence.size - 1)]) if room > 0 and confidence.size else 0.0
    return policy.model_copy(update={"min_confidence": min(limit, 1.0)})


def _aiming(policy: ReferralPolicy, sensitivity: float) -> ReferralPolicy:
    return policy.model_copy(update={"goals": policy.goals.model_copy(update={"sensitivity": sensitivity})})


def _share(policy: ReferralPolicy, labelled: Labelled) -> float:
    return float(referred(policy, labelled.evidence, labelled.taxonomy).mean())


def _point(policy: ReferralPolicy, labelled: Labelled) -> Point:
    evidence, needs = labelled.evidence, needing_expert(labelled.taxonomy)
    sent, ought = referred(policy, evidence, labelled.taxonomy), needs[labelled.labels]
    safe, right = sent | needs[evidence.predicted], evidence.predicted == labelled.labels
    return {
        "sensitivity": policy.goals.sensitivity,
        "max_suspicion": policy.max_suspicion,
        "referred": float(sent.mean()),
        "safe": _of_lesions(safe[ought], list(compress(labelled.lesions, ought))),
        "accuracy_of_answers": _mean(right[~sent]),
    }


def _mean(hits: Booleans) -> float | None:
    return float(hits.mean()) if hits.size else None


def _of_lesions(hits: Booleans, lesions: Sequence[str]) -> float | None:
    """The share of hits, each lesion counting once."""
    if not hits.size:
        return None
    every = np.ones(len(hits))
    return lesion_shares([(hits, every)], lesion_numbers(lesions, len(hits)), draws=1)[0]["value"]


def _curve(policy: ReferralPolicy, labelled: Labelled) -> list[Point]:
    return [_point(_floors(_aiming(policy, goal), labelled), labelled) for goal in SENSITIVITIES]


def _budget_notes(floors: ReferralPolicy, labelled: Labelled, without_rare: Sequence[Point]) -> list[str]:
    """Whether the floors need more than the budget, and what they would be within it."""
    need, goals = _share(floors, labelled), floors.goals
    if need <= goals.budget:
        return []
    without = _share(_floors(_malignant_alone(floors), labelled), labelled)
    words = (
        f"the floors refer {need:.0%} of the images tuned on, more than the budget of {goals.budget:.0%}: "
        f"{without:.0%} would be for all malignant together, the rest is for those of them that are rare or "
        f"often missed ({', '.join(_floored(floors, labelled.taxonomy, benign=False)) or 'none'})"
    )
    within = [point for point in without_rare if point["referred"] <= goals.budget]
    best = f"{max(p['sensitivity'] for p in within):.1%}" if within else f"less than {SENSITIVITIES[0]:.0%}"
    return [words, f"within the budget, and without floors for classes, the sensitivity would be {best}"]


def _few_notes(floors: ReferralPolicy, labelled: Labelled) -> list[str]:
    """Which floors rest on too few lesions to be a promise."""
    goals, needs = floors.goals, needing_expert(labelled.taxonomy)
    count = _lesions(labelled, needs[labelled.labels])
    malignant = _too_few(f"{count} malignant or precancerous lesions", count, goals.sensitivity)
    notes = [f"{note}, so every benign answer is referred" for note in malignant if needs.any()]
    codes = labelled.taxonomy.codes
    lesions = {code: _lesions(labelled, labelled.labels == k) for k, code in enumerate(codes)}
    for code in (code for code in _floored(floors, labelled.taxonomy) if lesions[code]):
        notes += _too_few(f"{code} has {lesions[code]} lesions", lesions[code], goals.rare_sensitivity)
    if absent := [code for code in codes if not lesions[code]]:
        notes.append(
            f"no lesion of {', '.join(absent)} is there to tune on: no floor holds for them, "
            "whatever a former calibration promised of them"
        )
    return notes


def _too_few(what: str, count: int, goal: float) -> list[str]:
    needed = lesions_needed(1 - goal)
    takes = needed if needed < sys.maxsize else "more than there can be"
    return [f"{what} to tune on: to promise {goal:.0%} takes {takes}"] if count < needed else []


def _lesions(labelled: Labelled, chosen: Booleans) -> int:
    return len(set(compress(labelled.lesions, chosen)))


def _floored(policy: ReferralPolicy, taxonomy: Taxonomy, *, benign: bool | None = None) -> list[str]:
    """Codes of the classes with floors of their own: all, the benign ones, or those that need an expert."""
    codes = [code for field in FLOORED for code in getattr(policy, field)]
    return [code for code in codes if benign is None or benign != taxonomy[code].needs_expert]


def _mixed_note(with_sets: ReferralPolicy, labelled: Labelled) -> str:
    return (
        f"sets that hold a malignant class beside a benign one are no reason by themselves: "
        f"with them {_share(with_sets, labelled):.0%} of the images tuned on would be referred"
    )
