"""The FHIR report has R4's structure, refers only to what it contains, and never passes for a diagnosis."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from serve.formats.findings import CHECKPOINT, answered, finding
from transxv2s import NOTICE
from transxv2s.errors import InputError
from transxv2s.finding import Finding
from transxv2s.serve.formats.fhir import diagnostic_report

Resource = dict[str, Any]


def report(of: Finding | None = None, subject: str | None = None) -> Resource:
    document: Resource = json.loads(diagnostic_report(of or finding(), subject))
    return document


def contained(document: Resource, kind: str) -> list[Resource]:
    return [resource for resource in document["contained"] if resource["resourceType"] == kind]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from [node["reference"]] if "reference" in node else []
        for child in node.values():
            yield from references(child)
    if isinstance(node, list):
        for child in node:
            yield from references(child)


def check_structure(document: Resource) -> None:
    """By the SMART project's classes, which are generated from FHIR 4.0.1."""
    models = pytest.importorskip(
        "fhirclient.models.diagnosticreport", reason="needs fhirclient, which knows the structure of FHIR R4"
    )
    read = models.DiagnosticReport(document)
    assert read.as_json() == document


@pytest.mark.parametrize("of", [finding(), answered()])
@pytest.mark.parametrize("subject", [None, "Patient/123", "https://hospital.example/fhir/Patient/a-1"])
def test_the_structure_is_that_of_r4(of: Finding, subject: str | None) -> None:
    check_structure(report(of, subject))


@pytest.mark.parametrize(
    "damage",
    [
        lambda r: r.update(diagnosis="melanoma"),
        lambda r: r.pop("status"),
        lambda r: r.update(issued="today"),
        lambda r: r["contained"][1].pop("code"),
        lambda r: r["contained"][1]["valueQuantity"].update(value="0.1"),
    ],
)
def test_the_judge_of_the_structure_is_awake(damage: Callable[[Resource], object]) -> None:
    document = report()
    check_structure(document)
    damage(document)
    with pytest.raises(Exception, match=r"root|DiagnosticReport"):
        check_structure(document)


def test_it_is_preliminary_and_labelled_as_asserted_by_an_algorithm() -> None:
    document = report()
    assert document["status"] == "preliminary"
    assert {o["status"] for o in contained(document, "Observation")} == {"preliminary"}
    (label,) = document["meta"]["security"]
    assert (label["system"], label["code"]) == (
        "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        "AIAST",
    )
    assert not any("meta" in resource for resource in document["contained"])  # invariants dom-4 and dom-5
    assert "conclusionCode" not in document
    assert document["conclusion"].endswith(NOTICE)


def test_every_reference_is_to_a_contained_resource_and_every_one_is_referred_to() -> None:
    document = report()
    assert set(references(document)) == {f"#{r['id']}" for r in document["contained"]}  # invariant dom-3
    ids = [r["id"] for r in document["contained"]]
    assert len(set(ids)) == len(ids)


def test_one_observation_a_class() -> None:
    observations = contained(report(), "Observation")[:-1]
    values = [o["valueQuantity"]["value"] for o in observations]
    assert values == list(finding().probabilities.values())
    classes = [o["component"][0]["valueCodeableConcept"] for o in observations]
    assert [c["text"] for c in classes][:2] == ["melanoma", "melanocytic nevus"]
    codes = [c["coding"][0]["code"] if "coding" in c else None for c in classes]
    assert codes == ["93655004", "400096001", "254701007", "201101007", None, None, None, "254651007"]


def test_the_decision_with_its_reasons() -> None:
    decision = contained(report(), "Observation")[-1]
    assert "an expert must look" in decision["valueCodeableConcept"]["text"]
    assert [note["text"] for note in decision["note"]] == finding().reasons  # the quality note is one of them
    assert "note" not in contained(report(answered()), "Observation")[-1]
    assert "Look again in three months." in report(answered())["conclusion"]


def test_the_algorithm_is_a_device_with_its_checkpoint() -> None:
    (device,) = contained(report(), "Device")
    assert CHECKPOINT in [version["value"] for version in device["version"]]
    assert device["note"] == [{"text": NOTICE}]


def test_nobody_is_named_without_a_reference() -> None:
    assert "subject" not in diagnostic_report(finding())
    document = report(subject="Patient/123")
    about = [document, *contained(document, "Observation")]
    assert all(resource["subject"] == {"reference": "Patient/123"} for resource in about)


@pytest.mark.parametrize(
    "subject", ["", "Aldonza Quixote", "Patient/", "Patient/1 2", "Device/1", "#patient"]
)
def test_what_is_no_reference_to_a_patient_is_refused_and_not_repeated(subject: str) -> None:
    with pytest.raises(InputError, match="Patient/123") as refused:
        diagnostic_report(finding(), subject)
    assert "Quixote" not in str(refused.value)


def test_the_time_of_issue() -> None:
    issued = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (
        json.loads(diagnostic_report(finding(), issued=issued))["issued"] == "2026-01-02T03:04:05.000+00:00"
    )
    with pytest.raises(InputError, match="time zone"):
        diagnostic_report(finding(), issued=datetime(2026, 1, 2))


def test_words_are_escaped_in_the_narrative() -> None:
    document = report(finding(predicted_name="<script>"))
    assert "&lt;script&gt;" in document["text"]["div"]
    assert "<script>" not in document["text"]["div"]
