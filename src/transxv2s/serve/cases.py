"""Cases: images of one lesion with their findings, from the upload to their deletion."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self, get_args
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from transxv2s.errors import InputError
from transxv2s.finding import Finding
from transxv2s.serve import audit
from transxv2s.serve.db.models import Case, CaseImage, Sex
from transxv2s.serve.errors import NotFoundError
from transxv2s.serve.images import ImageStore, png
from transxv2s.serve.ownership import require
from transxv2s.serve.settings import Settings

Site = Literal[  # those of ISIC 2019: a free text could name somebody
    "anterior torso",
    "head/neck",
    "lateral torso",
    "lower extremity",
    "oral/genital",
    "palms/soles",
    "posterior torso",
    "upper extremity",
]
SITES: tuple[str, ...] = get_args(Site)
OLDEST = 90  # years from which an age is shared by so few that it identifies (HIPAA Safe Harbor)
ID = re.compile(r"[0-9a-f]{32}")


class Details(BaseModel):
    """What may be told of the patient and the lesion.

    Attributes:
        age: In completed years; 90 stands for 90 and more, of whom there are few.
        sex: "female" or "male".
        site: One of `SITES`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    age: Annotated[int, Field(ge=0, le=120), AfterValidator(lambda age: min(age, OLDEST))] | None = None
    sex: Sex | None = None
    site: Site | None = None


@dataclass(frozen=True)
class Picture:
    """One image as it may be stored. Make it with `of`, before the transaction: encoding takes a while.

    Attributes:
        finding: What was said of it.
        width: In pixels, upright.
        height: In pixels.
        original: PNG of all its pixels.
        seen: PNG of the square that the network saw.
    """

    finding: Finding
    width: int
    height: int
    original: bytes
    seen: bytes

    @classmethod
    def of(cls, finding: Finding, original: NDArray[np.uint8], seen: NDArray[np.uint8]) -> Self:
        """From decoded images, uint8 (H, W, 3) and (S, S, 3), as `classifier.Prepared` holds them."""
        return cls(finding, original.shape[1], original.shape[0], png(original), png(seen))


def create(
    session: Session,
    store: ImageStore,
    settings: Settings,
    pictures: Sequence[Picture],
    details: Details,
    *,
    urgency: float,
    actor: str,
    now: datetime,
) -> Case:
    """Stores a case: it waits for an expert if any of its images was referred.

    The findings are stored under ids of their own: the name of a file may be that of a patient.

    Args:
        session: Inside `Database.writing`; when that has ended, everything is safe.
        store: For the images, where `settings.keep` says so.
        settings: What is kept, and for how long.
        pictures: Of one lesion, in order.
        details: Of the patient.
        urgency: See `worklist.urgency`.
        actor: Who sent it.
        now: When.

    Raises:
        InputError: There is no picture, or there are too many.
        ForeignImagesError: The folder's images are another database's. Nothing was stored.
        StorageUnavailableError: Nothing was stored.
    """
    if not 1 <= len(pictures) <= settings.max_images_per_case:
        raise InputError(
            f"A case has 1 to {settings.max_images_per_case} images, not {len(pictures)}: send them apart."
        )
    referred = any(picture.finding.decision == "expert_review" for picture in pictures)
    case = Case(
        id=uuid4().hex,
        created_at=now,
        created_by=actor,
        **details.model_dump(),
        state="waiting" if referred else "answered",
        urgency=urgency,
        expires_at=now + settings.retention,
        salt=uuid4().hex,
        reviews=[],
    )
    kept = store if settings.keep == "all" or (settings.keep == "referred" and referred) else None
    if kept:
        require(session, kept)
    case.images = [_image(case.id, n, picture, kept) for n, picture in enumerate(pictures)]
    session.add(case)
    audit.record(session, "case.created", case.id, actor=actor, now=now)
    return case


def _image(case_id: str, position: int, picture: Picture, store: ImageStore | None) -> CaseImage:
    image_id = f"{case_id}-{position}"
    return CaseImage(
        id=image_id,
        position=position,
        digest=store and store.write(picture.original),
        seen_digest=store and store.write(picture.seen),
        width=picture.width,
        height=picture.height,
        finding=picture.finding.model_copy(update={"id": image_id}).model_dump_json(),
    )


def get(session: Session, case_id: str) -> Case:
    """A case that has not been deleted, with its images and reviews.

    Raises:
        NotFoundError: There is none, or it has been deleted.
    """
    case = session.get(Case, case_id) if ID.fullmatch(case_id) else None
    if case is None:
        raise NotFoundError("There is no such case; look for it in the worklist.")
    if case.state == "deleted":
        raise NotFoundError("This case has been deleted; send its images again if you still need them.")
    return case


def findings(case: Case) -> list[Finding]:
    """What was said of each image of a case that has not been deleted, in order."""
    return [Finding.model_validate_json(image.finding) for image in case.images if image.finding]


def predicted(found: Sequence[Finding]) -> str:
    """Code of the class that most images of one lesion are taken for, in doubt the more probable one."""
    taken = Counter(finding.predicted for finding in found)
    means = mean_probabilities(found)
    return max(taken, key=lambda code: (taken[code], means[code]))


def reasons(found: Sequence[Finding]) -> list[str]:
    """Why an expert must look at any image of one lesion, each reason once."""
    return list(dict.fromkeys(reason for finding in found for reason in finding.reasons))


def mean_probabilities(found: Sequence[Finding]) -> dict[str, float]:
    """Of each class over the images of one lesion."""
    return {
        code: sum(finding.probabilities[code] for finding in found) / len(found)
        for code in found[0].probabilities
    }
