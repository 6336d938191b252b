"""A case as it is answered, and the pictures that are still there."""

from sqlalchemy.orm import Session

from transxv2s.serve import cases, worklist
from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import Actor
from transxv2s.serve.api.context import Server
from transxv2s.serve.db import models
from transxv2s.serve.errors import NotFoundError

GONE = "This image is not kept any more; send it again if you still need it."
NO_IMAGE = "The case has no image of this number; the first one is 0."
NO_CASE = "There is no such case; look for it in the worklist."


def readable(session: Session, case_id: str, actor: Actor) -> models.Case:
    """A case that the actor may see: uploaders see those that they sent.

    Raises:
        NotFoundError: There is none; whether there is one that the actor may not see is not said.
    """
    case = cases.get(session, case_id)
    if not actor.may("reviewer") and case.created_by != actor.name:
        raise NotFoundError(NO_CASE)
    return case


def answered(server: Server, case: models.Case) -> schemas.Case:
    """A case that has not been deleted, as it is answered."""
    found = cases.findings(case)
    code = cases.predicted(found)
    return schemas.Case(
        id=case.id,
        created_at=case.created_at,
        created_by=case.created_by,
        state=case.state,
        age=case.age,
        sex=case.sex,
        site=case.site,
        expires_at=case.expires_at,
        images_until=case.images_until,
        images_kept=any(image.digest for image in case.images),
        decision="expert_review" if any(f.decision == "expert_review" for f in found) else "answer",
        predicted=code,
        predicted_name=server.model.name_of(code),
        probabilities=cases.mean_probabilities(found),
        reasons=cases.reasons(found),
        findings=found,
        images=[_image(server, image) for image in case.images],
        reviews=[review(opinion) for opinion in case.reviews],
    )


def waiting(server: Server, case: models.Case) -> schemas.WaitingCase:
    """A case as the worklist shows it, with the prediction for the lesion and the set of its worst image."""
    found = cases.findings(case)
    code = cases.predicted(found)
    worst = worklist.worst(found, server.model.taxonomy)
    return schemas.WaitingCase(
        id=case.id,
        created_at=case.created_at,
        expires_at=case.expires_at,
        state=case.state,
        urgency=case.urgency,
        malignant=worklist.malignant(found, server.model.taxonomy),
        predicted=code,
        predicted_name=server.model.name_of(code),
        may_be=found[worst].may_be,
        reasons=cases.reasons(found),
        age=case.age,
        sex=case.sex,
        site=case.site,
        images=len(case.images),
        thumbnail=_image(server, case.images[worst]).seen,
    )


def review(opinion: models.Review) -> schemas.Review:
    """An opinion as it is answered."""
    return schemas.Review(
        number=opinion.number,
        reviewer=opinion.reviewer,
        created_at=opinion.created_at,
        diagnosis=opinion.diagnosis,
        agrees=opinion.agrees,
        confidence=opinion.confidence,
        comment=opinion.comment or "",
    )


def original(server: Server, case: models.Case, position: int) -> bytes:
    """PNG of an image as it was sent.

    Raises:
        NotFoundError: There is no such image, or it is not kept any more.
        DamagedImageError: It is damaged.
    """
    image = _at(case, position)
    if picture := server.recent.get(case.id, position):
        return picture.original
    return _stored(server, image.digest)


def seen(server: Server, case: models.Case, position: int) -> bytes:
    """PNG of what the network saw.

    Raises:
        NotFoundError: There is no such image, or it is not kept any more.
        DamagedImageError: It is damaged.
    """
    image = _at(case, position)
    if picture := server.recent.get(case.id, position):
        return picture.seen
    return _stored(server, image.seen_digest)


def _stored(server: Server, digest: str | None) -> bytes:
    if digest is None:
        raise NotFoundError(GONE)
    return server.store.read(digest)


def _at(case: models.Case, position: int) -> models.CaseImage:
    if not 0 <= position < len(case.images):
        raise NotFoundError(NO_IMAGE)
    return case.images[position]


def _image(server: Server, image: models.CaseImage) -> schemas.Image:
    there = image.digest is not None or server.recent.get(image.case_id, image.position) is not None
    base = f"/v1/findings/{image.case_id}/images/{image.position}"
    return schemas.Image(
        width=image.width,
        height=image.height,
        available=there,
        original=f"{base}/original.png" if there else None,
        seen=f"{base}/seen.png" if there else None,
    )
