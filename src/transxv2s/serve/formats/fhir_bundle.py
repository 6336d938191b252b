"""The findings of a case as one FHIR R4 bundle."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from transxv2s.finding import Finding
from transxv2s.serve.formats.fhir import diagnostic_report


def bundle(findings: Sequence[Finding], issued: datetime) -> str:
    """A collection with a `DiagnosticReport` for each finding.

    Args:
        findings: Of the images of one lesion, with ids that are unique for good.
        issued: When they were made, with a time zone.

    Returns:
        One resource as JSON, of `fhir.MEDIA_TYPE`; the same each time.

    Raises:
        InputError: The time has no zone.
    """
    entries = [
        {
            "fullUrl": uuid5(NAMESPACE_URL, finding.id).urn,
            "resource": json.loads(diagnostic_report(finding, issued=issued)),
        }
        for finding in findings
    ]
    content = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": issued.isoformat(timespec="milliseconds"),
        "entry": entries,
    }
    return json.dumps(content, indent=2, ensure_ascii=False)
