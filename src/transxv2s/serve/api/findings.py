"""Sending images of a lesion, reading what was found, deleting it."""

from dataclasses import replace

from fastapi import APIRouter, Response, status

from transxv2s.serve import cases, deletion, worklist
from transxv2s.serve.api import schemas
from transxv2s.serve.api.access import Actor, Reviewer, Uploader
from transxv2s.serve.api.cases import answered, readable
from transxv2s.serve.api.context import Server, TheServer
from transxv2s.serve.api.uploads import SCHEMA, Sent, Upload
from transxv2s.serve.cases import Details, Picture
from transxv2s.serve.db import models
from transxv2s.serve.worker_process import Call
from transxv2s.serve.worker_tasks import Examined
from transxv2s.views import with_views

router = APIRouter(tags=["findings"])


@router.post("/v1/findings", status_code=status.HTTP_201_CREATED, openapi_extra=SCHEMA)
def send(server: TheServer, actor: Uploader, upload: Sent, response: Response) -> schemas.Case:
    """Examines images of one lesion; when this is answered, the case is safe."""
    found = examine(server, upload, "examine")
    case = store(server, actor, found, upload.details)
    response.headers["Location"] = f"/v1/findings/{case.id}"
    return answered(server, case)


@router.get("/v1/findings/{case_id}")
def read(server: TheServer, actor: Uploader, case_id: str) -> schemas.Case:
    """A case with its findings and reviews."""
    with server.database.reading() as session:
        return answered(server, readable(session, case_id, actor))


@router.delete("/v1/findings/{case_id}", status_code=status.HTTP_204_NO_CONTENT)
def erase(server: TheServer, actor: Reviewer, case_id: str) -> None:
    """Deletes images, findings, comments and details of a case for good."""
    server.recent.forget(case_id)
    deletion.erase(server.database, server.store, case_id, actor=actor.name, now=server.now())


def examine(server: Server, upload: Upload, method: str) -> list[Examined]:
    """Has the images of one lesion examined; findings of views that disagree are referred.

    Raises:
        ImageError: One of them cannot be used.
        BusyError: Too many wait.
    """
    number = len(upload.images)
    names = ["The image" if number == 1 else f"Image {n}" for n in range(1, number + 1)]
    age = upload.details.age
    calls = [Call(method, (image, name, age)) for image, name in zip(upload.images, names, strict=True)]
    found: list[Examined] = server.workers.run(calls)
    findings = [one.picture.finding.model_copy(update={"id": str(n)}) for n, one in enumerate(found)]
    judged = with_views(findings, {finding.id: "lesion" for finding in findings})
    return [
        replace(one, picture=replace(one.picture, finding=finding))
        for one, finding in zip(found, judged, strict=True)
    ]


def store(server: Server, actor: Actor, found: list[Examined], details: Details) -> models.Case:
    """Stores a case; when this returns, it is safe.

    What the form does not tell of the patient is taken from the first file that does.
    """
    pictures = [one.picture for one in found]
    told = [details, *(one.details for one in found)]
    with server.database.writing() as session:
        case = cases.create(
            session,
            server.store,
            server.settings,
            pictures,
            _together(told),
            urgency=_urgency(server, pictures),
            actor=actor.name,
            now=server.now(),
        )
    server.recent.add(case.id, pictures)
    for picture in pictures:
        server.metrics.finding(picture.finding.decision)
    return case


def _urgency(server: Server, pictures: list[Picture]) -> float:
    findings = [picture.finding for picture in pictures]
    return worklist.urgency(findings, server.model.taxonomy, server.model.rare)


def _together(told: list[Details]) -> Details:
    """Of each detail what the first one says that says anything."""
    known = [one.model_dump(exclude_none=True) for one in told]
    return Details.model_validate({key: value for one in reversed(known) for key, value in one.items()})
