"""A finding for the hospital's archive, as a structured report.

The report is a Comprehensive SR. A Basic Text SR holds no numbers, and probabilities that a program cannot
read back are of little use; an Enhanced SR would do as well, but fewer archives and viewers know it.
"""

import io
from typing import Any

from highdicom import SOPClass
from highdicom.sr import ComprehensiveSR
from pydicom import Dataset
from pydicom.uid import generate_uid

from transxv2s import __version__
from transxv2s.finding import Finding
from transxv2s.serve.formats.dicom_file import silence
from transxv2s.serve.formats.dicom_report import content
from transxv2s.serve.formats.filing import PATIENT, STUDY, Filing, ImageReference
from transxv2s.serve.formats.terms import ALGORITHM

UTF_8 = "ISO_IR 192"
REQUIRED_EMPTY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", *STUDY)


def structured_report(finding: Finding, filing: Filing | None = None) -> bytes:
    """The finding as a Comprehensive SR: complete, preliminary, UNVERIFIED.

    Args:
        finding: Class, probabilities, decision and reasons go in, with the algorithm, its version and the
            checkpoint's digest, and the notice that this is no diagnosis.
        filing: The source's patient, study and image; by default a new study without a patient.

    Returns:
        A DICOM file.
    """
    filing = filing or Filing()
    with silence():
        report = ComprehensiveSR(
            evidence=[_evidence(filing)],
            content=content(finding, filing.image),
            is_complete=True,
            **_series(finding),
        )
        if filing.image is None:  # the evidence was made up, because highdicom needs some
            del report.CurrentRequestedProcedureEvidenceSequence
        return _file(report, filing)


def _series(finding: Finding) -> dict[str, Any]:
    """Series and equipment: a series of its own for each answer."""
    return {
        "series_instance_uid": generate_uid(),
        "series_number": 1,
        "sop_instance_uid": generate_uid(),
        "instance_number": 1,
        "manufacturer": ALGORITHM,
        "manufacturer_model_name": finding.model,
        "software_versions": __version__,
        "device_serial_number": finding.checkpoint,
        "series_description": f"{ALGORITHM}: finding, not a diagnosis",
        "specific_character_set": UTF_8,
    }


def _evidence(filing: Filing) -> Dataset:
    """The source image as highdicom wants it, without the patient, whose name it would quote in warnings."""
    image = filing.image or ImageReference(generate_uid(), generate_uid(), "1.2.840.10008.5.1.4.1.1.7")
    dataset = Dataset()
    dataset.StudyInstanceUID = filing.study
    dataset.SeriesInstanceUID = image.series
    dataset.SOPInstanceUID = image.instance
    dataset.SOPClassUID = image.sop_class
    for keyword in REQUIRED_EMPTY:
        setattr(dataset, keyword, "")
    return dataset


def _file(dataset: SOPClass, filing: Filing) -> bytes:
    """The file's bytes, with the patient and study put in last."""
    for keyword in (*PATIENT, *STUDY):
        if keyword in filing.attributes:
            setattr(dataset, keyword, filing.attributes[keyword])
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
