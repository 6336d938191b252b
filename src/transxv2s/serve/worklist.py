"""Cases that wait for an expert, most urgent first."""

import math
from collections.abc import Mapping, Sequence

from sqlalchemy import func, literal, select, tuple_
from sqlalchemy.orm import Session

from transxv2s.finding import Finding
from transxv2s.serve.cases import get
from transxv2s.serve.db.base import Moment
from transxv2s.serve.db.models import Case
from transxv2s.taxonomy import Taxonomy

STEPS = 20  # of 5 percentage points: finer differences between probabilities do not put a case first


def urgency(findings: Sequence[Finding], taxonomy: Taxonomy, rare: Mapping[str, float]) -> float:
    """How urgent a case is: malignant probability, then rare classes; the worklist adds the age of entry.

    urgency = ⌊20·m⌋ / 20 + r / 40. Here m is the highest malignant probability of any image, summed over
    malignant classes and those of which nothing is known; r is 1 if any image may be of a rare class, else 0.
    Without the steps of m nothing but m would ever count: no two probabilities are the same.

    Args:
        findings: Of the images of one lesion.
        taxonomy: The classes and which of them are malignant.
        rare: By code the probability from which a lesion may be of that class, as in `trust.policy`; it also
            may be if the class is predicted.

    Returns:
        In [0, 1.025].
    """
    may_be_rare = any(_may_be_rare(finding, rare) for finding in findings)
    return math.floor(STEPS * malignant(findings, taxonomy)) / STEPS + may_be_rare / (2 * STEPS)


def malignant(findings: Sequence[Finding], taxonomy: Taxonomy) -> float:
    """The highest malignant probability of any image, in [0, 1], as `urgency` counts it."""
    return _malignant(findings[worst(findings, taxonomy)], taxonomy)


def worst(findings: Sequence[Finding], taxonomy: Taxonomy) -> int:
    """Position of the image with that probability, the first one of equals."""
    return max(range(len(findings)), key=lambda n: _malignant(findings[n], taxonomy))


def _malignant(finding: Finding, taxonomy: Taxonomy) -> float:
    """In [0, 1]; rounded, as three tenths may sum to 0.30000000000000004."""
    codes = (taxonomy.classes[k].code for k in taxonomy.positions("malignant", "unknown"))
    return min(round(sum(finding.probabilities[code] for code in codes), 9), 1.0)


def _may_be_rare(finding: Finding, rare: Mapping[str, float]) -> bool:
    possible = {code for code, p in finding.probabilities.items() if code in rare and p >= rare[code]}
    return finding.predicted in rare or bool(possible)


def page(session: Session, limit: int, after: str | None = None) -> list[Case]:
    """Waiting cases by urgency, and of the same urgency those first that have waited longest.

    Args:
        session: Of the database.
        limit: How many at most.
        after: Id of the last case of the page before, reviewed meanwhile or not; None for the first page.

    Raises:
        NotFoundError: There is no such case, or it has been deleted: begin with the first page.
    """
    query = select(Case).where(Case.state == "waiting")
    if after is not None:
        last = get(session, after)
        place = (-last.urgency, literal(last.created_at, Moment), last.id)
        query = query.where(tuple_(-Case.urgency, Case.created_at, Case.id) > tuple_(*place))
    return list(session.scalars(query.order_by(Case.urgency.desc(), Case.created_at, Case.id).limit(limit)))


def waiting(session: Session) -> int:
    """How many cases wait."""
    return session.scalar(select(func.count()).where(Case.state == "waiting")) or 0
