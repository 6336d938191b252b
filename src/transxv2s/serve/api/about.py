"""What the network is, what can be asked, and what is kept."""

from typing import get_args

from fastapi import APIRouter

from transxv2s import NOTICE
from transxv2s.explain import METHODS, SIX
from transxv2s.explain.meaning import DEFAULT_METHOD, MEANING
from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import Uploader
from transxv2s.serve.api.context import Model, TheServer
from transxv2s.serve.cases import OLDEST, SITES
from transxv2s.serve.db.models import Sex
from transxv2s.serve.review import CONFIDENCES, OTHER
from transxv2s.serve.settings import Settings
from transxv2s.taxonomy import KNOWN

SAME = "It is the same for every class."

router = APIRouter(tags=["about"])


@router.get("/v1/about")
def get_about(server: TheServer, actor: Uploader) -> schemas.About:
    """The network and its classes, what may be sent and said, and what is kept for how long."""
    model, settings = server.model, server.settings
    classes = model.taxonomy.classes
    return schemas.About(
        model=model.config.variant,
        checkpoint=model.digest,
        calibrated=model.config.trust is not None,
        notice=NOTICE,
        classes=[schemas.DiagnosticClass(code=c.code, name=c.name, malignancy=c.behaviour) for c in classes],
        sites=list(SITES),
        sexes=list(get_args(Sex)),
        diagnoses=_diagnoses(model),
        confidences=list(CONFIDENCES),
        methods=_methods() if model.explainable else [],
        limits=_limits(settings),
        keep=settings.keep,
        retention_days=settings.retention_days,
        export_days=settings.export_days,
        recent_minutes=settings.recent_minutes,
        age_cap=OLDEST,
    )


def _diagnoses(model: Model) -> list[schemas.Diagnosis]:
    """As `review.diagnoses` takes them."""
    found = [schemas.Diagnosis(code=c.code, name=c.name) for c in model.taxonomy.classes]
    if OTHER not in model.taxonomy.codes:
        found.append(schemas.Diagnosis(code=OTHER, name=KNOWN[OTHER].name))
    return found


def _methods() -> list[schemas.Method]:
    return [
        schemas.Method(
            name=name,
            title=METHODS[name].title,
            per_class=METHODS[name].class_dependent,
            note=MEANING if METHODS[name].class_dependent else f"{MEANING} {SAME}",
            default=name == DEFAULT_METHOD,
        )
        for name in SIX
    ]


def _limits(settings: Settings) -> schemas.Limits:
    return schemas.Limits(
        max_upload_bytes=settings.max_upload_bytes,
        max_images_per_case=settings.max_images_per_case,
        max_pixels=settings.max_pixels,
    )
