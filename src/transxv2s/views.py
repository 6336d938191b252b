"""Several views of one lesion: one that needs an expert, or two that are predicted differently, refer all."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from transxv2s.finding import Finding

DISAGREE = "views of this lesion are predicted differently"
REVIEW = "expert_review"
ANOTHER = "another view of this lesion needs an expert"


def with_views(findings: Sequence[Finding], lesions: Mapping[str, str]) -> list[Finding]:
    """The findings, referred where views of their lesion disagree or one is referred for what it shows.

    One that is only a poor picture says nothing of the lesion: a better view of it may answer.

    Args:
        findings: Of one or more lesions.
        lesions: Lesion by finding id; one without is a lesion of its own.
    """
    views = defaultdict[str, list[Finding]](list)
    for finding in findings:
        if finding.id in lesions:
            views[lesions[finding.id]].append(finding)
    torn = {lesion for lesion, own in views.items() if len({f.predicted for f in own}) > 1}
    referred = {lesion for lesion, own in views.items() if any(set(f.reasons) - set(f.quality) for f in own)}

    def seen_together(finding: Finding) -> Finding:
        lesion = lesions.get(finding.id)
        if lesion in torn:
            return _referred(finding, DISAGREE)
        if lesion in referred and finding.decision != REVIEW:
            return _referred(finding, ANOTHER)
        return finding

    return [seen_together(finding) for finding in findings]


def _referred(finding: Finding, reason: str) -> Finding:
    reasons = [*finding.reasons, reason]
    return finding.model_copy(update={"decision": REVIEW, "reasons": reasons, "advice": ""})
