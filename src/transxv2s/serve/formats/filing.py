"""Where a DICOM answer belongs: the patient, study and image it is filed under.

Only this module reads names and numbers of patients, and only to hand them back to the hospital that sent
them, in its answer. A `Filing` must never be stored or logged; its repr shows nothing of the patient.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import UID, generate_uid

from transxv2s.imaging.decode import DEFAULT_LIMITS, Limits
from transxv2s.serve.formats.dicom_file import Refused, in_one_sentence, opened

PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
STUDY = ("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName")
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


@dataclass(frozen=True)
class ImageReference:
    """The image that a finding speaks of.

    Attributes:
        series: Series Instance UID.
        instance: SOP Instance UID.
        sop_class: SOP Class UID.
    """

    series: str
    instance: str
    sop_class: str


@dataclass(frozen=True)
class Filing:
    """What a DICOM answer is filed under; never to be stored or logged.

    Attributes:
        study: Study Instance UID.
        image: The image in that study; None where the picture was no DICOM file.
        attributes: Keyword → text of the patient and the study, as they were sent; empty without a source.
    """

    study: str = field(default_factory=generate_uid)
    image: ImageReference | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)


def filing_of(content: bytes, limits: Limits = DEFAULT_LIMITS, name: str = "image") -> Filing:
    """Reads from the source image under what the answer to it is filed.

    Raises:
        ImageError: The file cannot be used, or does not say which study it belongs to.
    """
    return in_one_sentence(lambda: _filing_of(content, limits), name)


def _filing_of(content: bytes, limits: Limits) -> Filing:
    dataset = opened(content, (*PATIENT, *STUDY, *UIDS), limits)
    study, series, instance, sop_class = (_uid(dataset, keyword) for keyword in UIDS)
    attributes = {
        keyword: str(dataset[keyword].value or "") for keyword in (*PATIENT, *STUDY) if keyword in dataset
    }
    return Filing(study, ImageReference(series, instance, sop_class), attributes)


def _uid(dataset: Dataset, keyword: str) -> str:
    value = UID(str(dataset.get(keyword)))
    if not value.is_valid:
        raise Refused("the DICOM file does not say which study and series it belongs to; export it again")
    return str(value)
