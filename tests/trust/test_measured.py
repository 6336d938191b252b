"""What a checkpoint tells of its trust, on images whose answers are known by hand."""

import numpy as np

from transxv2s.taxonomy import ISIC2019
from transxv2s.trust.judgement import Judge
from transxv2s.trust.measured import trust_scores
from trusting import plain_trust


def test_trust_scores_count_what_is_referred_and_what_is_answered() -> None:
    """Two melanomas, of which one is taken for a nevus, and two nevi; columns as in ISIC 2019."""
    seen_melanoma = [0.90, 0.10, 0, 0, 0, 0, 0, 0]
    missed_melanoma = [0.02, 0.98, 0, 0, 0, 0, 0, 0]
    suspicious_nevus = [0.30, 0.70, 0, 0, 0, 0, 0, 0]
    clear_nevus = [0.01, 0.59, 0, 0, 0.40, 0, 0, 0]
    rows = np.array([seen_melanoma, missed_melanoma, suspicious_nevus, clear_nevus])
    judge = Judge(plain_trust(limit=0.35, min_confidence=0.5, max_suspicion=0.2), ISIC2019)
    evidence = judge.evidence(np.log(rows.clip(1e-12)), np.zeros((4, 1)), [()] * 4)
    labels = np.array([0, 0, 1, 1])
    assert trust_scores(evidence, labels, "abcd", judge) == {
        "coverage": 3 / 4,
        "set_size": 5 / 4,
        "referred": 1 / 4,
        "referred_needing_expert": 0,
        "referred_benign": 1 / 2,
        "safe": 1 / 2,
        "accuracy_of_answers": 2 / 3,
    }
    three = trust_scores(evidence, labels, "aacd", judge)
    assert (three["coverage"], three["safe"], three["referred"]) == (2.5 / 3, 0.5, 1 / 3), "each lesion once"
