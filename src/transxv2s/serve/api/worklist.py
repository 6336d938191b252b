"""The worklist, and what experts say of its cases."""

from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import BaseModel, ConfigDict, Field

from transxv2s.serve import review, worklist
from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import Reviewer
from transxv2s.serve.api.cases import review as answered
from transxv2s.serve.api.cases import waiting
from transxv2s.serve.api.context import TheServer
from transxv2s.serve.db.models import Confidence

router = APIRouter(tags=["reviews"])


class Opinion(BaseModel):
    """What an expert says of a case."""

    model_config = ConfigDict(extra="forbid")

    diagnosis: str = Field(description="A code of /v1/about's diagnoses.")
    confidence: Confidence
    comment: str = Field(default="", max_length=review.LONGEST_COMMENT)


@router.get("/v1/worklist")
def get_worklist(
    server: TheServer,
    actor: Reviewer,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="Id of the last case of the page before.")] = None,
) -> schemas.Worklist:
    """Referred cases that wait, most urgent first."""
    with server.database.reading() as session:
        found = worklist.page(session, limit, after)
        count = worklist.waiting(session)
    following = found[-1].id if len(found) == limit else None
    return schemas.Worklist(waiting=count, cases=[waiting(server, case) for case in found], next=following)


@router.post("/v1/findings/{case_id}/reviews", status_code=status.HTTP_201_CREATED)
def add_review(server: TheServer, actor: Reviewer, case_id: str, opinion: Opinion) -> schemas.Review:
    """Adds an opinion; when this is answered, it is safe. A later one supersedes it, none overwrites it."""
    with server.database.writing() as session:
        said = review.record(
            session,
            server.settings,
            case_id,
            diagnosis=opinion.diagnosis,
            confidence=opinion.confidence,
            comment=opinion.comment,
            actor=actor.name,
            now=server.now(),
        )
    return answered(said)
