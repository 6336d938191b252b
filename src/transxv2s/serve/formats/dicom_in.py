"""Dermoscopic photographs from DICOM: RGB, age, sex and site, and nothing that identifies a person."""

from dataclasses import dataclass

from pydicom.uid import (
    DermoscopicPhotographyImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    VLPhotographicImageStorage,
)

from transxv2s.imaging.decode import DEFAULT_LIMITS, Limits, Rgb
from transxv2s.serve.formats import dicom_pixels, patient
from transxv2s.serve.formats.dicom_file import Refused, in_one_sentence, is_dicom, opened
from transxv2s.serve.formats.sites import site

PHOTOGRAPHS = (
    DermoscopicPhotographyImageStorage,
    VLPhotographicImageStorage,
    SecondaryCaptureImageStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
)
READ = ("SOPClassUID", "BurnedInAnnotation", *patient.READ, *dicom_pixels.READ)

__all__ = ["DicomImage", "is_dicom", "read"]


@dataclass(frozen=True, eq=False)
class DicomImage:
    """What is kept of a DICOM file.

    Attributes:
        pixels: RGB, uint8 (H, W, 3).
        age: Completed years, 90 standing for 90 and more; None where the file does not say.
        sex: "female" or "male"; None for other and unknown.
        site: One of `cases.SITES`; None where the file does not say.
    """

    pixels: Rgb
    age: int | None
    sex: str | None
    site: str | None


def read(content: bytes, limits: Limits = DEFAULT_LIMITS, name: str = "image") -> DicomImage:
    """Reads a photograph: one frame, 8 or 16 bits, RGB, YBR, palette colour or grey, with no words in it.

    Uncompressed little endian, baseline JPEG, JPEG-LS and JPEG 2000 are taken. To be called where decoding
    may be killed when it takes too long.

    Args:
        content: The file.
        limits: Larger or smaller images are refused before they are decoded.
        name: What to call it in errors; never the name of the file, which may be the patient's.

    Returns:
        The picture and what a case keeps.

    Raises:
        ImageError: The file cannot be used, in one sentence that quotes nothing of it.
    """
    return in_one_sentence(lambda: _read(content, limits), name)


def _read(content: bytes, limits: Limits) -> DicomImage:
    dataset = opened(content, READ, limits)
    if dataset.get("SOPClassUID") not in PHOTOGRAPHS:
        raise Refused("the DICOM file is no photograph; send a dermoscopic or other photograph")
    if "YES" in str(dataset.get("BurnedInAnnotation")).upper():
        raise Refused("words that may name the patient are part of the picture; export it without them")
    pixels = dicom_pixels.rgb(dataset, limits)
    return DicomImage(pixels, patient.age(dataset), patient.sex(dataset), site(dataset))
