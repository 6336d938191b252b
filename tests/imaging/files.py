"""Image files made for the tests of decoding: sound, of kinds that Pillow cannot write, lying and damaged."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

Rgb = NDArray[np.uint8]

LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True}}


def picture(height: int = 40, width: int = 50) -> Rgb:
    """A gradient with some noise, different in each corner and channel."""
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([200 * y / height, 200 * x / width, 100 + 100 * (x - y) / (height + width)], axis=-1)
    return (smooth + np.random.default_rng(0).uniform(0, 20, smooth.shape)).astype(np.uint8)


def encoded(image: Image.Image | Rgb, kind: str = "PNG", **options: Any) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def tiff(
    samples: NDArray[np.generic], bits: int, photometric: int, tag: dict[int, int] | None = None
) -> bytes:
    """An uncompressed TIFF of one strip, in the byte order of the samples; tag replaces fields."""
    data = samples.tobytes()
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    order = ">" if samples.dtype.byteorder == ">" else "<"
    start = 8 + len(data)
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: channels}
    entries |= {278: height, 279: len(data)} | (tag or {})
    fields, extra = b"", b""
    after = start + 2 + 12 * len(entries) + 4
    for key, value in sorted(entries.items()):
        if key == 258 and channels > 1:
            fields += struct.pack(order + "HHLL", key, 3, channels, after)
            extra = struct.pack(order + f"{channels}H", *[bits] * channels)
        elif key in (273, 279):
            fields += struct.pack(order + "HHLL", key, 4, 1, value)
        else:
            fields += struct.pack(order + "HHLHH", key, 3, 1, value, 0)
    head = (b"MM" if order == ">" else b"II") + struct.pack(order + "HL", 42, start)
    return head + data + struct.pack(order + "H", len(entries)) + fields + bytes(4) + extra


def colour_png(samples: NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.tobytes() for row in samples.astype(">u2"))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def header_only(kind: str, width: int, height: int) -> bytes:
    """A small file that claims to be large."""
    if kind == "TIFF":
        return tiff(np.zeros((1, 1), np.uint8), 8, 1, {256: width, 257: height})
    if kind == "BMP":
        content = bytearray(encoded(picture(), kind))
        content[18:26] = struct.pack("<ii", width, height)
        return bytes(content)
    if kind == "PNG":
        content = bytearray(encoded(picture(), kind))
        content[16:24] = struct.pack(">II", width, height)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        return bytes(content)
    content = bytearray(encoded(picture(), kind))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


SOUND = {
    "jpeg": encoded(picture(), "JPEG", exif=turned(6)),
    "progressive": encoded(picture(), "JPEG", progressive=True),
    "png": encoded(Image.fromarray(picture()).convert("RGBA")),
    "palette": encoded(Image.fromarray(picture()).quantize(8), transparency=0),
    "webp": encoded(picture(), "WEBP"),
    "bmp": encoded(picture(), "BMP"),
    "tiff": encoded(picture(), "TIFF"),
    "deflated tiff": encoded(picture(), "TIFF", compression="tiff_adobe_deflate"),
    "float tiff": encoded(Image.fromarray(picture()[..., 0].astype(np.float32)), "TIFF"),
}


def damaged(content: bytes, seed: int) -> Iterator[bytes]:
    """Cut off at 60 lengths; 60 times some bytes replaced, mostly in the header, where it hurts more."""
    generator = np.random.default_rng(seed)
    for length in np.linspace(1, len(content) - 1, 60).astype(int):
        yield content[:length]
    for _ in range(60):
        changed = bytearray(content)
        end = len(content) if generator.random() < 0.3 else min(len(content), 300)
        for position in generator.integers(0, end, generator.integers(1, 6)):
            changed[position] = generator.integers(256)
        yield bytes(changed)
