"""A finding for the hospital's archive: a structured report, and the heat map as a picture.

The report is a Comprehensive SR. A Basic Text SR holds no numbers, and probabilities that a program cannot
read back are of little use; an Enhanced SR would do as well, but fewer archives and viewers know it.
"""

import io
from typing import Any

from highdicom import SOPClass
from highdicom.sc import SCImage
from highdicom.sr import ComprehensiveSR
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from transxv2s import __version__
from transxv2s.errors import InputError
from transxv2s.finding import Finding
from transxv2s.imaging.decode import Rgb
from transxv2s.serve.formats.dicom_file import silence
from transxv2s.serve.formats.dicom_report import content
from transxv2s.serve.formats.filing import PATIENT, STUDY, Filing, ImageReference
from transxv2s.serve.formats.terms import ALGORITHM

UTF_8 = "ISO_IR 192"
REQUIRED_EMPTY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", *STUDY)
ANYWHERE = ("L", "F")  # highdicom asks for an orientation; nobody knows a dermatoscope's, so it is emptied


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
            **_common(finding, "finding, not a diagnosis"),
        )
        if filing.image is None:  # the evidence was made up, because highdicom needs some
            del report.CurrentRequestedProcedureEvidenceSequence
        return _file(report, filing)


def overlay(finding: Finding, picture: Rgb, filing: Filing | None = None) -> bytes:
    """A heat map laid over the image, as a Secondary Capture.

    Args:
        finding: What the map belongs to; the algorithm, version and digest of the checkpoint go in.
        picture: uint8 (H, W, 3).
        filing: As for `structured_report`; the same one keeps both in one study.

    Returns:
        A DICOM file.

    Raises:
        InputError: The picture is no RGB array.
    """
    if picture.dtype != "uint8" or picture.ndim != 3 or picture.shape[2] != 3:
        raise InputError(
            f"the overlay is {picture.dtype} {picture.shape}; pass RGB as uint8 (height, width, 3)"
        )
    filing = filing or Filing()
    with silence():
        image = SCImage(
            picture,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            patient_orientation=ANYWHERE,
            study_instance_uid=filing.study,
            **_common(finding, "heat map, not a diagnosis"),
        )
        image.PatientOrientation = []
        image.Laterality = ""
        image.BurnedInAnnotation = "NO"
        image.DerivationDescription = (
            f"Heat map of {ALGORITHM} {__version__}, checkpoint {finding.checkpoint}"
        )
        image.ImageComments = finding.notice
        if filing.image is not None:
            image.SourceImageSequence = [_source(filing.image)]
        return _file(image, filing)


def _common(finding: Finding, what: str) -> dict[str, Any]:
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
        "series_description": f"{ALGORITHM}: {what}",
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


def _source(image: ImageReference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = image.sop_class
    item.ReferencedSOPInstanceUID = image.instance
    purpose = codes.DCM.SourceImageForImageProcessingOperation
    item.PurposeOfReferenceCodeSequence = [Dataset()]
    item.PurposeOfReferenceCodeSequence[0].CodeValue = purpose.value
    item.PurposeOfReferenceCodeSequence[0].CodingSchemeDesignator = purpose.scheme_designator
    item.PurposeOfReferenceCodeSequence[0].CodeMeaning = purpose.meaning
    return item


def _file(dataset: SOPClass, filing: Filing) -> bytes:
    """The file's bytes, with the patient and study put in last."""
    for keyword in (*PATIENT, *STUDY):
        if keyword in filing.attributes:
            setattr(dataset, keyword, filing.attributes[keyword])
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
