"""Fits all of `Trust` on labelled images that the network was not trained on.

Adjustment, prediction sets and policy rest on probabilities of images that the scaling was not fitted on
(lesions are dealt into folds, each calibrated by the others), since fitted ones would promise too much; the
scaling that is stored is fitted on all. Scaling and policy are chosen together: of the forms of scaling that
are equally likely and name as many images rightly, the one under which the floors of safety refer least.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transxv2s.scoring.bootstrap import lesion_numbers
from transxv2s.taxonomy import Taxonomy
from transxv2s.trust import adjustment, conformal, scaling_fit
from transxv2s.trust.judgement import Trust, novel_images
from transxv2s.trust.novelty import SCORES, Kind, Novelty, NoveltyScore, fit_threshold
from transxv2s.trust.policy import Goals, ReferralPolicy
from transxv2s.trust.rules import Evidence
from transxv2s.trust.scaling import KINDS
from transxv2s.trust.scaling import Kind as ScalingKind
from transxv2s.trust.scaling_choice import Choice, choose, mean_over_lesions
from transxv2s.trust.scaling_choice import held_out as held_out_probabilities
from transxv2s.trust.tuning import Labelled, Tuned, tune

Floats = NDArray[np.float64]
NOVELTY: Kind = "mahalanobis"
KNOWN = 250  # training images of a class from which novelty is learnt
NOVEL_SHARE = 0.02  # of known images that are called novel: what junk shows it is, by far
RARE_SHARE = 0.02  # of the training images; a class with fewer is rare
FEW = 20  # lesions; with fewer there is nothing to choose by: temperature scaling, fitted and applied to all
LOW_RECALL = 0.5  # a class that the network misses more often has a floor, however many images it has


@dataclass(frozen=True)
class Outputs:
    """What the network makes of N labelled images.

    Attributes:
        logits: (N, K).
        features: (N, F).
        labels: (N,).
        lesions: Of each image.
        images: Their ids, for tables; empty where none is made.
        quality: What is wrong with each image, in words; empty if that was not looked at.
        groups: Of each image, for sets by group; empty without.
    """

    logits: Floats
    features: Floats
    labels: NDArray[np.intp]
    lesions: Sequence[str]
    images: Sequence[str] = ()
    quality: Sequence[Sequence[str]] = ()
    groups: Sequence[str | None] = ()


class Fitted(NamedTuple):
    """Trust and what it rests on.

    Attributes:
        trust: For the checkpoint.
        score: For the checkpoint's `novelty.safetensors`.
        choice: The form of scaling and how all compare; None with few lesions.
        tuned: The policy, its curve, what the goals could not have.
        held_out: Probabilities (N, K) of scalings fitted on other lesions.
    """

    trust: Trust
    score: NoveltyScore | None
    choice: Choice | None
    tuned: Tuned
    held_out: Floats


def fit(
    outputs: Outputs,
    score: NoveltyScore | None,
    taxonomy: Taxonomy,
    class_sizes: Mapping[str, int],
    fitted_on: str,
    *,
    goals: Goals | None = None,
    coverage: float = 0.9,
    grouping: str | None = None,
) -> Fitted:
    """Scaling, adjustment, sets, novelty, policy, in this order.

    Args:
        outputs: Images that the network was not trained on.
        score: Of novelty, see `learn_novelty`; None leaves novelty out.
        taxonomy: The classes, in the order of the logits.
        class_sizes: Training images of each class, by code.
        fitted_on: Which images `outputs` are, in words.
        goals: Of the policy; the usual ones by default.
        coverage: Of the prediction sets.
        grouping: What the groups of the outputs are, for sets by group.

    Raises:
        InputError: The arrays do not go together, or there are too few images.
    """
    few = len(set(outputs.lesions)) < FEW
    given = (outputs.logits, outputs.labels, outputs.lesions)
    held_out = {} if few else {kind: held_out_probabilities(kind, *given) for kind in KINDS}
    choice = choose(held_out, outputs.labels, outputs.lesions) if held_out else None
    novelty = None if score is None else _novelty(score, outputs, fitted_on)

    def fitted_with(kind: ScalingKind) -> Fitted:
        scaling = scaling_fit.fit(kind, *given)
        probabilities = held_out[kind] if held_out else scaling.probabilities(outputs.logits)
        sets = conformal.fit(
            probabilities,
            outputs.labels,
            coverage,
            lesions=outputs.lesions,
            groups=outputs.groups if grouping else None,
            grouping=grouping,
        )
        start = Trust(
            scaling=scaling,
            adjustment=None if few else adjustment.fit(probabilities, outputs.labels),
            sets=sets,
            novelty=novelty,
            policy=ReferralPolicy(),
            fitted_on=fitted_on,
        )
        evidence = evidence_of(start, score, outputs, probabilities)
        labelled = Labelled(evidence, outputs.labels, outputs.lesions, taxonomy)
        rare, missed = floored_classes(labelled, class_sizes)
        tuned = tune(labelled, rare, goals or Goals(), fitted_on, often_missed=missed)
        trust = start.model_copy(update={"policy": tuned.policy})
        return Fitted(trust, score if novelty else None, None, tuned, probabilities)

    if choice is None:
        return fitted_with("temperature")
    tried = {kind: fitted_with(kind) for kind in choice.as_good}
    likeliest = tried[choice.as_good[0]]
    referred = {
        kind: one.tuned.floors
        for kind, one in tried.items()
        if not _names_fewer_rightly(one, likeliest, outputs)
    }
    kind = min(referred, key=referred.__getitem__)
    return tried[kind]._replace(choice=choice.model_copy(update={"kind": kind, "referred": referred}))


def _names_fewer_rightly(one: Fitted, likeliest: Fitted, outputs: Outputs) -> bool:
    """Whether it does by more than a standard error over lesions: referring less shall not be bought so."""
    right, before = (
        (fitted.trust.adjusted(fitted.held_out).argmax(axis=1) == outputs.labels).astype(np.float64)
        for fitted in (one, likeliest)
    )
    lost, error = mean_over_lesions(before - right, lesion_numbers(outputs.lesions, len(right)))
    return lost > error


def evidence_of(
    trust: Trust, score: NoveltyScore | None, outputs: Outputs, probabilities: Floats
) -> Evidence:
    """What is known of images with these calibrated probabilities (N, K)."""
    novel = novel_images(trust.novelty, score, outputs.logits, outputs.features)
    groups = outputs.groups if trust.sets.grouping else None
    return trust.evidence(probabilities, novel, outputs.quality or [()] * len(probabilities), groups)


def evenly_by_class(labels: Sequence[int]) -> list[int]:
    """Places of training images from which novelty is learnt: evenly spaced in each class, at most KNOWN."""
    truth = np.array(labels)
    places = (np.flatnonzero(truth == k) for k in np.unique(truth))
    chosen = [p[np.linspace(0, len(p) - 1, min(KNOWN, len(p))).astype(int)] for p in places]
    return sorted(np.concatenate(chosen).tolist())


def learn_novelty(trained: Outputs) -> NoveltyScore:
    """What images that the network was trained on look like to it."""
    return SCORES[NOVELTY].fit(trained.logits, trained.features, trained.labels)


def floored_classes(labelled: Labelled, class_sizes: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Codes of classes that are rare in training, and of others that are often missed; the rarest first."""
    total = sum(class_sizes.values())
    right = labelled.evidence.predicted == labelled.labels
    sizes = {code: class_sizes.get(code, 0) for code in labelled.taxonomy.codes}
    by_size = sorted(enumerate(labelled.taxonomy.codes), key=lambda place: sizes[place[1]])
    rare = [code for _, code in by_size if sizes[code] < RARE_SHARE * total]
    missed = [
        code
        for k, code in by_size
        if (asked := labelled.labels == k).any() and right[asked].mean() < LOW_RECALL
    ]
    return rare, [code for code in missed if code not in rare]


def _novelty(score: NoveltyScore, outputs: Outputs, fitted_on: str) -> Novelty | None:
    """None where there are too few images for a threshold."""
    if len(outputs.labels) < 1 / NOVEL_SHARE:
        return None
    threshold = fit_threshold(score.scores(outputs.logits, outputs.features), NOVEL_SHARE)
    return Novelty(kind=score.kind, threshold=threshold, share=NOVEL_SHARE, fitted_on=fitted_on)
