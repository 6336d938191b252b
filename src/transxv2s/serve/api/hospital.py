"""Hospital formats: DICOM in and out, FHIR out."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response, status

from transxv2s.errors import InputError
from transxv2s.serve import cases
from transxv2s.serve.api.access import Uploader
from transxv2s.serve.api.cases import readable
from transxv2s.serve.api.context import TheServer
from transxv2s.serve.api.findings import examine, store
from transxv2s.serve.api.uploads import Upload
from transxv2s.serve.cases import Details
from transxv2s.serve.formats import fhir
from transxv2s.serve.formats.fhir_bundle import bundle

DICOM = "application/dicom"
NO_DICOM = f"Send one DICOM file as the body, with Content-Type: {DICOM}."
SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {DICOM: {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter(tags=["hospital"])


class Dicom(Response):
    """A DICOM file."""

    media_type = DICOM


class Fhir(Response):
    """A FHIR resource."""

    media_type = fhir.MEDIA_TYPE


async def read_file(request: Request) -> Upload:
    """The body, which is a file.

    Raises:
        InputError: It is said to be something else.
    """
    if request.headers.get("Content-Type", "").partition(";")[0].strip() != DICOM:
        raise InputError(NO_DICOM)
    return Upload([await request.body()], Details())


@router.post("/v1/dicom", status_code=status.HTTP_201_CREATED, response_class=Dicom, openapi_extra=SCHEMA)
def send_dicom(server: TheServer, actor: Uploader, upload: Annotated[Upload, Depends(read_file)]) -> Dicom:
    """Examines a DICOM photograph, stores the case as usual, and answers with a structured report.

    The report is filed under the patient and the study of the photograph, of which nothing is stored.
    """
    [found] = examine(server, upload, "report")
    case = store(server, actor, [found], upload.details)
    headers = {"Location": f"/v1/findings/{case.id}"}
    return Dicom(found.report, status.HTTP_201_CREATED, headers=headers)


@router.get("/v1/findings/{case_id}/fhir", response_class=Fhir)
def get_fhir(server: TheServer, actor: Uploader, case_id: str) -> Fhir:
    """The case as a FHIR R4 bundle with a preliminary DiagnosticReport for each image."""
    with server.database.reading() as session:
        case = readable(session, case_id, actor)
    return Fhir(bundle(cases.findings(case), case.created_at))
