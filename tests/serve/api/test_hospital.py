"""DICOM in and out, FHIR out."""

import io
from pathlib import Path

import pydicom
import pytest

from serve.api.conftest import Site
from serve.api.tiny import DARK, image
from serve.formats.dicom_files import SECRETS, photograph, sample, written
from serve.formats.test_fhir import check_structure

DICOM = {"Content-Type": "application/dicom"}


def test_a_dicom_photograph_is_answered_with_a_report_in_its_study(site: Site, tmp_path: Path) -> None:
    source = photograph(sample())
    answer = site.client.post("/v1/dicom", content=written(source), headers=DICOM)
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/dicom")
    report = pydicom.dcmread(io.BytesIO(answer.content))
    assert (report.Modality, report.PatientID) == ("SR", "MRN-4711")
    assert report.StudyInstanceUID == source.StudyInstanceUID
    case = site.client.get(answer.headers["Location"]).json()
    assert (case["age"], case["sex"]) == (62, "female")
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not [secret for secret in SECRETS if secret.encode() in everything]


@pytest.mark.parametrize("content", [b"", b"x", image(DARK), written(photograph(sample()))[:600]])
def test_what_is_no_dicom_photograph(site: Site, content: bytes) -> None:
    answer = site.client.post("/v1/dicom", content=content, headers=DICOM)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Image")


def test_the_body_must_be_said_to_be_dicom(site: Site) -> None:
    answer = site.client.post("/v1/dicom", content=written(photograph(sample())))
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "Input")


def test_a_case_as_fhir(site: Site) -> None:
    case = site.case(image(DARK), image(DARK, side=90))
    answer = site.client.get(f"/v1/findings/{case['id']}/fhir")
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    document = answer.json()
    models = pytest.importorskip("fhirclient.models.bundle", reason="needs fhirclient")
    assert models.Bundle(document).as_json() == document
    assert len({entry["fullUrl"] for entry in document["entry"]}) == 2
    for entry in document["entry"]:
        check_structure(entry["resource"])
        assert entry["resource"]["status"] == "preliminary"
    assert site.client.get(f"/v1/findings/{case['id']}/fhir").content == answer.content
