"""Several views of one lesion: where they are predicted differently, none of them is answered alone."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from transxv2s.finding import Finding

DISAGREE = "views of this lesion are predicted differently"


def with_views(findings: Sequence[Finding], lesions: Mapping[str, str]) -> list[Finding]:
    """The findings, referred where views of their lesion disagree.

    Args:
        findings: Of one or more lesions.
        lesions: Lesion by finding id; one without is a lesion of its own.
    """
    predicted = defaultdict[str, set[str]](set)
    for finding in findings:
        if finding.id in lesions:
            predicted[lesions[finding.id]].add(finding.predicted)
    torn = {lesion for lesion, codes in predicted.items() if len(codes) > 1}
    return [_referred(f) if lesions.get(f.id) in torn else f for f in findings]


def _referred(finding: Finding) -> Finding:
    reasons = [*finding.reasons, DISAGREE]
    return finding.model_copy(update={"decision": "expert_review", "reasons": reasons, "advice": ""})
