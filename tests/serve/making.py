"""Cases for the tests: tiny images, findings with chosen probabilities, a clock that stands still."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from argon2 import PasswordHasher

from transxv2s.finding import Finding
from transxv2s.serve import cases, review, worklist
from transxv2s.serve.cases import Details, Picture
from transxv2s.serve.db.models import Case, Review
from transxv2s.serve.db.session import Database
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings
from transxv2s.taxonomy import ISIC2019

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"  # noqa: S105
NOBODY = Details()
RARE = {"DF": 0.2, "VASC": 0.2}


def finding(probabilities: Mapping[str, float], referred: bool = True, name: str = "Mrs Miller") -> Finding:
    """Of these probabilities; what is left goes to nevus."""
    rest = 1 - sum(probabilities.values())
    full = {code: probabilities.get(code, 0.0) + (code == "NV") * rest for code in ISIC2019.codes}
    predicted = max(full, key=lambda code: full[code])
    return Finding(
        id=name,
        probabilities=full,
        predicted=predicted,
        predicted_name=ISIC2019[predicted].name,
        prediction_set=[predicted],
        may_be=ISIC2019[predicted].name,
        decision="expert_review" if referred else "answer",
        reasons=["somebody must look"] if referred else [],
        advice="",
        quality=[],
        model="transxv2s_net",
        checkpoint="0123456789ab",
    )


def picture(found: Finding, seed: int = 0) -> Picture:
    """An image of its own for each seed."""
    random = np.random.default_rng(seed)
    original, seen = (random.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in ((20, 30), (8, 8)))
    return Picture.of(found, original, seen)


def make(
    database: Database,
    store: ImageStore,
    settings: Settings,
    *found: Finding,
    details: Details = NOBODY,
    now: datetime = NOW,
    seed: int = 0,
) -> Case:
    """A case of an image for each finding."""
    pictures = [picture(one, seed + n) for n, one in enumerate(found)]
    urgency = worklist.urgency(found, ISIC2019, RARE)
    with database.writing() as session:
        return cases.create(
            session, store, settings, pictures, details, urgency=urgency, actor="uta", now=now
        )


def say(database: Database, settings: Settings, case_id: str, **opinion: Any) -> Review:
    """A review; melanoma unless something else is said."""
    usual: dict[str, Any] = {"diagnosis": "MEL", "confidence": "high", "actor": "rita", "now": NOW}
    with database.writing() as session:
        return review.record(session, settings, case_id, **usual | opinion)
