"""The picture in a DICOM file as RGB, with its size checked before anything is decoded."""

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import UID

from transxv2s.imaging.decode import Limits, Rgb
from transxv2s.serve.formats.codestream import Size, size
from transxv2s.serve.formats.dicom_file import COMPRESSED, Refused

PALETTE = "PALETTE COLOR"
SAMPLES = {
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
    PALETTE: 1,
    "MONOCHROME2": 1,
}
READ = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    "PixelData",
)  # no segmented palettes: a few bytes of one can stand for gigabytes


def rgb(dataset: Dataset, limits: Limits) -> Rgb:
    """uint8 (H, W, 3). More than 8 bits are scaled by their nominal range, as `imaging.decode` does.

    Raises:
        Refused: There is no picture, or it is none that is taken.
    """
    expected = _checked(dataset, limits)
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if syntax in COMPRESSED and size(get_frame(dataset.PixelData, 0, number_of_frames=1)) != expected:
        raise Refused("the picture inside is not stored as the DICOM file states; export it again")
    values, _ = get_decoder(syntax).as_array(dataset, index=0)  # YBR becomes RGB
    if dataset.PhotometricInterpretation == PALETTE:
        coloured = apply_color_lut(values, dataset)
        return _eight_bits(coloured, 8 * coloured.dtype.itemsize)
    levels = _eight_bits(values, int(dataset.BitsStored))
    return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)


def _checked(dataset: Dataset, limits: Limits) -> Size:
    if "PixelData" not in dataset:
        raise Refused("the DICOM file has no picture in it; send one that has")
    _check_kind(dataset)
    width, height = int(dataset.Columns), int(dataset.Rows)
    if problem := limits.problem_of_pixels(width, height):
        raise Refused(problem)
    return Size(width, height, int(dataset.SamplesPerPixel))


def _check_kind(dataset: Dataset) -> None:
    if int(dataset.get("NumberOfFrames") or 1) != 1:
        raise Refused("it has several frames; save the one to look at as a file of its own")
    if SAMPLES.get(dataset.PhotometricInterpretation) != dataset.SamplesPerPixel:
        raise Refused("its colours are stored in a way that is not taken; export it as RGB")
    if dataset.BitsAllocated not in (8, 16) or not 1 <= dataset.BitsStored <= dataset.BitsAllocated:
        raise Refused("its values have neither 8 nor 16 bits; export it with 8 bits a channel")
    if dataset.PixelRepresentation != 0:
        raise Refused("its values are signed numbers; export it as RGB with 8 bits a channel")


def _eight_bits(values: NDArray[np.integer], bits: int) -> Rgb:
    top = 2**bits - 1
    if top == 255 and values.dtype == np.uint8:
        return np.ascontiguousarray(values, np.uint8)
    scaled: Rgb = np.rint(np.minimum(values, top) * np.float32(255 / top)).astype(np.uint8)
    return scaled
