"""What a compressed picture says of its own size, read before a decoder reserves memory for it."""

import struct
from typing import NamedTuple

JPEG = b"\xff\xd8"
JPEG_2000 = b"\xff\x4f\xff\x51"  # a raw codestream, as DICOM demands; its size segment comes first
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # 0xF7 is that of JPEG-LS
FILL = 0xFF


class Size(NamedTuple):
    """Width and height in pixels, and values per pixel."""

    width: int
    height: int
    samples: int


def size(stream: bytes) -> Size | None:
    """Of a JPEG, JPEG-LS or JPEG 2000 codestream; None where it does not say."""
    try:
        if stream.startswith(JPEG_2000):
            return _jpeg_2000(stream)
        return _jpeg(stream) if stream.startswith(JPEG) else None
    except (struct.error, IndexError):
        return None


def _jpeg_2000(stream: bytes) -> Size:
    """The SIZ segment (ISO/IEC 15444-1, A.5.1)."""
    right, bottom, left, top = struct.unpack_from(">4I", stream, 8)
    return Size(right - left, bottom - top, struct.unpack_from(">H", stream, 40)[0])


def _jpeg(stream: bytes) -> Size | None:
    """The first frame header (ISO/IEC 10918-1, B.2.2, and 14495-1, C.2.2)."""
    at = len(JPEG)
    while stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == FILL:
            at += 1
            continue
        if marker in START_OF_FRAME:
            height, width, samples = struct.unpack_from(">HHB", stream, at + 5)
            return Size(width, height, samples)
        at += 2 + struct.unpack_from(">H", stream, at + 2)[0]
    return None
