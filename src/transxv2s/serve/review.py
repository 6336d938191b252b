"""Opinions of experts on a case: each is added, none is changed, the last one counts."""

import unicodedata
from datetime import datetime, timedelta
from typing import get_args

from sqlalchemy.orm import Session

from transxv2s.errors import InputError
from transxv2s.serve import audit
from transxv2s.serve.cases import findings, get, predicted
from transxv2s.serve.db.models import Case, Confidence, Review
from transxv2s.serve.settings import Settings

OTHER = "UNK"  # none of the classes, as in ISIC 2019's test set
LONGEST_COMMENT = 4000  # characters
LINES = "\t\r\n"
NOT_TEXT = ("Cc", "Cs")  # Unicode's control characters and lone surrogates
CONFIDENCES: tuple[str, ...] = get_args(Confidence)


def record(
    session: Session,
    settings: Settings,
    case_id: str,
    *,
    diagnosis: str,
    confidence: Confidence,
    comment: str = "",
    actor: str,
    now: datetime,
) -> Review:
    """Adds an opinion. The case leaves the worklist, and its images are kept only for the export.

    Args:
        session: Inside `Database.writing`; when that has ended, the review is safe.
        settings: How long the images of a reviewed case are kept.
        case_id: The case, in whatever state.
        diagnosis: One of `diagnoses`.
        confidence: Of the expert.
        comment: Free text; deleted with the case.
        actor: The expert.
        now: When.

    Raises:
        NotFoundError: There is no such case, or it has been deleted.
        InputError: The diagnosis, the confidence or the comment cannot be taken.
    """
    case = get(session, case_id)
    _check(case, diagnosis, confidence, comment)
    review = Review(
        number=len(case.reviews) + 1,
        reviewer=actor,
        created_at=now,
        diagnosis=diagnosis,
        agrees=diagnosis == predicted(findings(case)),
        confidence=confidence,
        comment=comment,
    )
    case.reviews.append(review)
    case.state = "reviewed"
    if any(image.digest for image in case.images):
        end = now + timedelta(days=settings.export_days)
        case.images_until = min(case.images_until or case.expires_at, end)
    audit.record(session, "case.reviewed", case.id, actor=actor, now=now)
    return review


def diagnoses(case: Case) -> tuple[str, ...]:
    """Codes that an expert may choose from: the classes of the network, and none of them (`OTHER`)."""
    codes = tuple(findings(case)[0].probabilities)
    return codes if OTHER in codes else (*codes, OTHER)


def _check(case: Case, diagnosis: str, confidence: str, comment: str) -> None:
    if diagnosis not in diagnoses(case):
        raise InputError(f"The diagnosis must be one of {', '.join(diagnoses(case))}.")
    if confidence not in CONFIDENCES:
        raise InputError(f"The confidence must be one of {', '.join(CONFIDENCES)}.")
    if len(comment) > LONGEST_COMMENT:
        raise InputError(f"The comment has {len(comment):,} characters; shorten it to {LONGEST_COMMENT:,}.")
    if any(unicodedata.category(char) in NOT_TEXT and char not in LINES for char in comment):
        raise InputError("The comment holds characters that cannot be shown; type it anew.")
