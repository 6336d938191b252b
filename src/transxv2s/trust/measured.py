"""What a network with its trust achieves on labelled images, as its checkpoint tells it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transxv2s.scoring import report
from transxv2s.scoring.arrays import share
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
        "trust": trust_scores(evidence, outputs.labels, judge),
        "quality_counts": bool(outputs.quality),
        "split": words,
    }


def trust_scores(evidence: Evidence, labels: NDArray[np.intp], judge: Judge) -> dict[str, float | None]:
    """How prediction sets and referral do, as shares; None where there is no such image.

    `coverage` of the sets and their mean `set_size`; the share `referred` of all, of the lesions that need an
    expert and of the others; `safe`, the share of the former that are recognised as such or referred;
    `accuracy_of_answers` given without an expert.
    """
    sent = np.array([bool(found) for found in judge.reasons(evidence)])
    needs = needing_expert(judge.taxonomy)
    ought, right = needs[labels], evidence.predicted == labels
    return {
        "coverage": share(evidence.members[np.arange(len(labels)), labels]),
        "set_size": float(evidence.members.sum(axis=1).mean()),
        "referred": share(sent),
        "referred_needing_expert": share(sent[ought]),
        "referred_benign": share(sent[~ought]),
        "safe": share((sent | needs[evidence.predicted])[ought]),
        "accuracy_of_answers": share(right[~sent]),
    }
