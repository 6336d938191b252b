"""What a network with its trust achieves on labelled images, as its checkpoint tells it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transxv2s.scoring import report
from transxv2s.scoring.bootstrap import lesion_numbers
from transxv2s.scoring.shares import Pair, lesion_shares
from transxv2s.taxonomy import Taxonomy
from transxv2s.trust.fitting import Fitted, Outputs
from transxv2s.trust.judgement import Judge
from transxv2s.trust.rules import Evidence, needing_expert


def measured(
    fitted: Fitted, outputs: Outputs, evidence: Evidence, taxonomy: Taxonomy, words: str
) -> dict[str, Any]:
    """Scores of what is named, of the probabilities, and of trust, for the metrics of a checkpoint.

    Image quality counts for referral where it was looked at, which `quality_counts` tells.

    Args:
        fitted: Trust.
        outputs: Of N labelled images.
        evidence: What is known of them.
        taxonomy: The classes.
        words: Which images they are.
    """
    probabilities, judge = evidence.probabilities, Judge(fitted.trust, taxonomy, fitted.score)
    scores = report(
        probabilities,
        outputs.labels,
        outputs.lesions,
        taxonomy,
        adjusted=fitted.trust.adjusted(probabilities),
    )
    return {
        **scores,
        "trust": trust_scores(evidence, outputs.labels, outputs.lesions, judge),
        "quality_counts": bool(outputs.quality),
        "split": words,
    }


def trust_scores(
    evidence: Evidence, labels: NDArray[np.intp], lesions: Sequence[str], judge: Judge
) -> dict[str, float | None]:
    """How prediction sets and referral do: shares in which each lesion counts once, None where there is none.

    `coverage` of the sets and their mean `set_size`; the share `referred` of all, of the lesions that need an
    expert and of the others; `safe`, the share of the former that are recognised as such or referred;
    `accuracy_of_answers` given without an expert.
    """
    sent = np.array([bool(found) for found in judge.reasons(evidence)])
    needs = needing_expert(judge.taxonomy)
    ought, every = needs[labels], np.ones(len(labels), dtype=bool)
    pairs: dict[str, Pair] = {
        "coverage": (evidence.members[np.arange(len(labels)), labels], every),
        "set_size": (evidence.members.sum(axis=1), every),
        "referred": (sent, every),
        "referred_needing_expert": (sent & ought, ought),
        "referred_benign": (sent & ~ought, ~ought),
        "safe": ((sent | needs[evidence.predicted]) & ought, ought),
        "accuracy_of_answers": ((evidence.predicted == labels) & ~sent, ~sent),
    }
    found = lesion_shares(list(pairs.values()), lesion_numbers(lesions, len(labels)), draws=1)
    return {name: one["value"] for name, one in zip(pairs, found, strict=True)}
