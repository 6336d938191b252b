"""A finding as FHIR R4 (4.0.1): a preliminary `DiagnosticReport` that contains all it refers to.

It asserts no diagnosis: there is no `conclusionCode`, and each probability is an `Observation` of a
probability whose component names the class, so that no reader takes a class for what was found.
"""

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from transxv2s import __version__
from transxv2s.errors import InputError
from transxv2s.finding import Finding
from transxv2s.serve.formats.terms import ALGORITHM, SNOMED_CT, name_of, verdict

Element = dict[str, Any]

MEDIA_TYPE = "application/fhir+json; fhirVersion=4.0"
PRELIMINARY = "preliminary"
DEVICE = "algorithm"
DECISION = "decision"
AI_ASSERTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
IMAGING = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}
REPORT = {"system": "http://loinc.org", "code": "18748-4"}
UCUM = "http://unitsofmeasure.org"
PATIENT = re.compile(r"(https?://\S+/)?Patient/[A-Za-z0-9.\-]{1,64}|urn:uuid:[0-9a-f-]{36}")


def diagnostic_report(finding: Finding, subject: str | None = None, issued: datetime | None = None) -> str:
    """The finding as FHIR JSON.

    Args:
        finding: Class, probabilities, decision, reasons, advice and quality notes go in, with the algorithm.
        subject: Reference to the patient, such as Patient/123; without one the report names nobody.
        issued: When it was made, with its time zone; by default now.

    Returns:
        One resource, of `MEDIA_TYPE`.

    Raises:
        InputError: The reference is none to a patient, or the time has no zone.
    """
    issued = issued or datetime.now(UTC)
    if issued.tzinfo is None:
        raise InputError("the time of issue has no time zone; give one, such as UTC")
    about = _about(subject)
    results = [*_probabilities(finding, about), _decision(finding, about)]
    report: Element = {
        "resourceType": "DiagnosticReport",
        "meta": {"security": [AI_ASSERTED]},  # here only: contained resources must have none (dom-5)
        "text": {"status": "generated", "div": _narrative(finding)},
        "contained": [_device(finding), *results],
        "status": PRELIMINARY,
        "code": {"coding": [REPORT], "text": "Dermoscopic image, analysed by an algorithm"},
        **about,
        "issued": issued.isoformat(timespec="milliseconds"),
        "result": [{"reference": f"#{result['id']}"} for result in results],
        "conclusion": " ".join(_sentences(finding)),
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


def _about(subject: str | None) -> Element:
    if subject is None:
        return {}
    if not PATIENT.fullmatch(subject):
        raise InputError("this is no reference to a patient; give one such as Patient/123")
    return {"subject": {"reference": subject}}


def _device(finding: Finding) -> Element:
    names = ((ALGORITHM, "user-friendly-name"), (finding.model, "model-name"))
    return {
        "resourceType": "Device",
        "id": DEVICE,
        "deviceName": [{"name": name, "type": kind} for name, kind in names],
        "type": {"text": "Algorithm that classifies dermoscopic images"},
        "version": [
            {"type": {"text": "software"}, "value": __version__},
            {"type": {"text": "checkpoint"}, "value": finding.checkpoint},
        ],
        "note": [{"text": finding.notice}],
    }


def _observation(name: str, text: str, about: Element) -> Element:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": PRELIMINARY,
        "category": [{"coding": [IMAGING]}],
        "code": {"text": text},
        **about,
        "device": {"reference": f"#{DEVICE}"},
    }


def _probabilities(finding: Finding, about: Element) -> Iterator[Element]:
    for number, (code, probability) in enumerate(finding.probabilities.items(), start=1):
        observation = _observation(f"probability-{number}", "Probability of a diagnosis", about)
        observation["valueQuantity"] = {"value": probability, "system": UCUM, "code": "1"}
        observation["component"] = [{"code": {"text": "Diagnosis"}, "valueCodeableConcept": _diagnosis(code)}]
        yield observation


def _diagnosis(code: str) -> Element:
    """In words, and by its SNOMED CT concept where it has one."""
    concept: Element = {"text": name_of(code)}
    if code in SNOMED_CT:
        value, display = SNOMED_CT[code]
        concept["coding"] = [{"system": "http://snomed.info/sct", "code": value, "display": display}]
    return concept


def _decision(finding: Finding, about: Element) -> Element:
    """The decision, with a note for each reason and each thing that is wrong with the image."""
    observation = _observation(DECISION, "Whether an expert must look", about)
    observation["valueCodeableConcept"] = {"text": verdict(finding)}
    notes = dict.fromkeys([*finding.reasons, *finding.quality])  # a quality note is often a reason as well
    if notes:
        observation["note"] = [{"text": note} for note in notes]
    return observation


def _sentences(finding: Finding) -> list[str]:
    percent = 100 * finding.probabilities[finding.predicted]
    return [f"Most like {finding.predicted_name} ({percent:.0f} %).", verdict(finding), finding.notice]


def _narrative(finding: Finding) -> str:
    paragraphs = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in _sentences(finding))
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'
