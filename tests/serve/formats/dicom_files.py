"""DICOM photographs as a hospital would send them, of a patient who must never show up."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DermoscopicPhotographyImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    generate_uid,
)

from transxv2s.imaging.decode import Rgb, decode

SAMPLES = Path(__file__).parents[3] / "samples"
SECRETS = ("Quixote", "Aldonza", "MRN-4711", "19610309", "Accession-815", "Toboso", "Moriarty", "Secreto")


def sample() -> Rgb:
    """A real photograph, cut small."""
    return decode(SAMPLES / "ISIC_0000019.jpg")[60:140, 80:180]


def photograph(pixels: NDArray[np.integer[Any]], interpretation: str = "RGB", **changes: object) -> Dataset:
    """An uncompressed photograph of Aldonza Quixote; `changes` by keyword, None takes the attribute out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = DermoscopicPhotographyImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = DermoscopicPhotographyImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    _identify(dataset)
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = interpretation
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def _identify(dataset: Dataset) -> None:
    dataset.PatientName, dataset.PatientID = "Quixote^Aldonza", "MRN-4711"
    dataset.PatientBirthDate, dataset.PatientSex = "19610309", "F"
    dataset.PatientAddress, dataset.ImageComments = "Toboso", "Seen by Aldonza Quixote's doctor"
    dataset.AccessionNumber, dataset.StudyID = "Accession-815", "1"
    dataset.ReferringPhysicianName, dataset.StudyDate, dataset.StudyTime = (
        "Moriarty^James",
        "20240308",
        "1200",
    )
    dataset.private_block(0x0009, "Secreto Inc", create=True).add_new(1, "LO", "Aldonza Quixote")


def written(dataset: Dataset) -> bytes:
    """The file."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def jpeg(pixels: Rgb, interpretation: str = "YBR_FULL_422", **changes: object) -> Dataset:
    """The photograph as baseline JPEG."""
    stream = _encoded(pixels, "JPEG", quality=90)
    return compressed(photograph(pixels, interpretation, **changes), stream, JPEGBaseline8Bit)


def jpeg_2000(pixels: Rgb) -> Dataset:
    """The photograph as lossless JPEG 2000."""
    stream = _encoded(pixels, "JPEG2000", no_jp2=True, irreversible=False, mct=1)
    return compressed(photograph(pixels, "YBR_RCT"), stream, JPEG2000Lossless)


def jpeg_ls(pixels: Rgb) -> Dataset:
    """The photograph as lossless JPEG-LS."""
    dataset = photograph(pixels)
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    return dataset


def _encoded(pixels: Rgb, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def compressed(dataset: Dataset, stream: bytes, syntax: str) -> Dataset:
    """The dataset with this codestream for a picture."""
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate([stream or b"\0\0"])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset
