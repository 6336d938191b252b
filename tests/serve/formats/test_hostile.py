"""Whatever bytes come: an image or one typed sentence, which says nothing of the patient."""

import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from serve.formats.dicom_files import (
    SECRETS,
    compressed,
    jpeg,
    jpeg_2000,
    jpeg_ls,
    photograph,
    sample,
    written,
)
from transxv2s.errors import ImageError
from transxv2s.imaging.decode import Limits
from transxv2s.serve.formats.dicom_in import DicomImage, read

SMALL = np.ascontiguousarray(sample()[:20, :24])
FILES = [written(make(SMALL)) for make in (photograph, jpeg, jpeg_2000, jpeg_ls)]
UNDEFINED = b"\xff\xff\xff\xff"


def refusal(content: bytes, limits: Limits = Limits()) -> str:  # noqa: B008 - frozen
    """The sentence with which a file is refused, after a look at how it is said."""
    with pytest.raises(ImageError) as caught:
        read(content, limits)
    check_sentence(caught.value)
    return caught.value.reason


def check_sentence(error: ImageError) -> None:
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "\n" not in str(error)
    assert "; " in str(error)  # what is wrong; what to do
    assert len(str(error)) < 300
    assert not any(secret in str(error) for secret in SECRETS)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"Rows": 65_535, "Columns": 65_535}, "65535×65535"),
        ({"Rows": 0}, "at least 16"),
        ({"Rows": 21}, "damaged or cut off"),
        ({"Rows": None}, "damaged or cut off"),
        ({"NumberOfFrames": 2}, "several frames"),
        ({"NumberOfFrames": 2_000_000_000}, "several frames"),
        ({"NumberOfFrames": -1}, "several frames"),
        ({"PixelData": None}, "no picture"),
        ({"PixelData": b""}, "damaged or cut off"),
        ({"PixelData": SMALL.tobytes()[:-2]}, "damaged or cut off"),
        ({"PhotometricInterpretation": "CMYK"}, "colours"),
        ({"PhotometricInterpretation": "MONOCHROME2"}, "colours"),
        ({"SamplesPerPixel": 1}, "colours"),
        ({"SamplesPerPixel": 60_000}, "colours"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "neither 8 nor 16 bits"),
        ({"BitsStored": 0}, "neither 8 nor 16 bits"),
        ({"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}, "damaged or cut off"),
        ({"PixelRepresentation": 1}, "signed"),
        ({"SOPClassUID": CTImageStorage}, "no photograph"),
        ({"SOPClassUID": None}, "no photograph"),
    ],
)
def test_what_does_not_fit_together(changes: dict[str, Any], complaint: str) -> None:
    assert complaint in refusal(written(photograph(SMALL, **changes)))


def test_an_empty_palette() -> None:
    content = written(photograph(np.ascontiguousarray(SMALL[..., 0]), "PALETTE COLOR"))
    assert "damaged or cut off" in refusal(content)


def test_more_bytes_than_allowed_are_not_looked_at() -> None:
    assert "larger than" in refusal(FILES[0], Limits(max_bytes=len(FILES[0]) - 1))


def test_no_dicom_file_at_all() -> None:
    assert "no DICOM file" in refusal(b"")
    assert "no DICOM file" in refusal(FILES[0][132:])


@pytest.mark.parametrize(
    "syntax", [DeflatedExplicitVRLittleEndian, RLELossless, JPEGLosslessSV1, "1.2.3.4", "Aldonza"]
)
def test_encodings_that_are_not_taken(syntax: str) -> None:
    old = b"UI\x14\0" + ExplicitVRLittleEndian.encode() + b"\0"
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    content = FILES[0].replace(old, b"UI" + struct.pack("<H", len(value)) + value, 1)
    assert content != FILES[0]
    assert "is not taken" in refusal(content)


def test_a_deflate_bomb_is_not_inflated() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = deflater.compress(b"\0" * 50_000_000) + deflater.flush()
    meta = b"\2\0\x10\0UI" + struct.pack("<H", 22) + DeflatedExplicitVRLittleEndian.encode()
    tracemalloc.start()
    try:
        assert "Deflated" in refusal(b"\0" * 128 + b"DICM" + meta + bomb)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


JPEG_HEADER = b"\xff\xd8\xff\xc0\x00\x11\x08\xea\x60\xea\x60\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
LS_HEADER = JPEG_HEADER.replace(b"\xc0", b"\xf7")
J2K_HEADER = b"\xff\x4f\xff\x51\x00\x2f\x00\x00" + struct.pack(
    ">8IH", *[60_000] * 2, 0, 0, *[60_000] * 2, 0, 0, 3
)


@pytest.mark.parametrize(
    ("stream", "syntax"),
    [
        (JPEG_HEADER, JPEGBaseline8Bit),
        (LS_HEADER, JPEGLSLossless),
        (J2K_HEADER, JPEG2000Lossless),
        (b"\x89PNG\r\n\x1a\n", JPEGBaseline8Bit),
        (b"\xff\xd8\xff\xda\x00\x02", JPEGBaseline8Bit),
        (b"\xff\xd8" + b"\xff" * 1000, JPEGBaseline8Bit),
        (b"\xff\x4f\xff\x51", JPEG2000Lossless),
        (b"", JPEGBaseline8Bit),
    ],
)
def test_a_codestream_that_claims_another_size_is_not_decoded(stream: bytes, syntax: str) -> None:
    reason = refusal(written(compressed(photograph(SMALL), stream, syntax)))
    assert "not stored as the DICOM file states" in reason


BEFORE = FILES[0][: FILES[0].index(b"\x08\0\x16\0UI")]  # all before the SOP class
ITEM = b"\xfe\xff\0\xe0"
SEQUENCES = [b"\x08\0\x18\x22SQ\0\0" + UNDEFINED, b"\x09\0\x10\x10SQ\0\0" + UNDEFINED]  # region; private


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_sequences_nested_deeply(sequence: bytes) -> None:
    refusal(BEFORE + (sequence + ITEM + UNDEFINED) * 9_000)


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_sequence_of_a_million_items(sequence: bytes) -> None:
    assert "too much besides" in refusal(BEFORE + sequence + (ITEM + b"\0\0\0\0") * 1_000_000)


def test_an_element_that_claims_more_than_the_file_holds() -> None:
    claims = BEFORE + b"\x09\0\x10\x10OB\0\0" + struct.pack("<I", 2_000_000_000)
    assert "damaged or cut off" in refusal(claims + FILES[0][len(BEFORE) :])


def test_an_attachment_larger_than_the_picture_may_be() -> None:
    attached = BEFORE + b"\x09\0\x10\x10OB\0\0" + struct.pack("<I", 4_000_000) + b"\0" * 4_000_000
    assert "too much besides" in refusal(attached + FILES[0][len(BEFORE) :])


@pytest.mark.parametrize("content", FILES)
def test_cut_off_anywhere(content: bytes) -> None:
    for end in range(0, len(content) - 2, 61):
        refusal(content[:end])


@settings(max_examples=300, deadline=None)
@given(data=st.data(), content=st.sampled_from(FILES))
def test_mutated_files_are_read_or_refused(data: st.DataObject, content: bytes) -> None:
    mutated = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        cut = data.draw(st.sampled_from([0, 1, 2, 4]))
        mutated[at : at + cut] = data.draw(st.binary(max_size=8))
    try:
        found = read(bytes(mutated))
    except ImageError as error:
        check_sentence(error)
    else:
        assert isinstance(found, DicomImage)
        assert found.pixels.dtype == np.uint8
        assert found.pixels.shape[2:] == (3,)
