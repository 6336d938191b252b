"""Files that are no images, or no more: 200 and more ways in which an upload can be wrong."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from serve.api.tiny import DARK, image
from serve.formats.dicom_files import jpeg, jpeg_2000, photograph, sample, written

KINDS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
CUTS = (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
HUGE = 60_000  # pixels on a side


def all_of_them() -> dict[str, bytes]:
    """By what is wrong."""
    return dict([*_truncated(), *_scrambled(), *_foreign(), *_bombs(), *_polyglots()])


def _whole() -> dict[str, bytes]:
    lossless = {"compress_level": 0}
    found = {kind: image(DARK, kind, **(lossless if kind == "PNG" else {})) for kind in KINDS}
    return found | {
        "DICOM": written(photograph(sample())),
        "DICOM JPEG": written(jpeg(sample())),
        "DICOM JPEG 2000": written(jpeg_2000(sample())),
    }


def _truncated() -> Iterator[tuple[str, bytes]]:
    for kind, content in _whole().items():
        for share in CUTS:
            yield f"{kind} cut off at {share:.1%}", content[: int(share * len(content))]


def _scrambled() -> Iterator[tuple[str, bytes]]:
    """The beginning, which says what it is and how large, with nonsense behind it, or without it."""
    random = np.random.default_rng(0)
    for kind, content in _whole().items():
        for size in (8, 16, 24):  # WebP decodes nearly anything after its sizes
            noise = random.integers(0, 256, 3000, dtype=np.uint8).tobytes()
            yield f"noise after {size} bytes of {kind}", content[:size] + noise
        yield f"{kind} without its first byte", content[1:]
        yield f"{kind} backwards", content[::-1]
        yield f"{kind} as hexadecimal text", content[:3000].hex().encode()
    for size in (1, 2, 3, 8, 132, 133, 1000, 100_000):
        yield f"{size} bytes of nothing", bytes(size)
        yield f"{size} bytes of noise", random.integers(0, 256, size, dtype=np.uint8).tobytes()


def _foreign() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    texts = {
        "text": "Mrs Miller",
        "HTML": "<html><script>alert(1)</script></html>",
        "SVG": '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "XML with entities": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "PostScript": "%!PS\n/etc/passwd (r) file",
        "PDF": "%PDF-1.7\n1 0 obj",
        "XPM": '/* XPM */ static char *a[] = {"1 1 1 1", "a c red", "a"};',
        "PPM": "P6 60000 60000 255 ",
        "a path": "../../etc/passwd",
        "an address": "http://127.0.0.1/secret",
        "a shell": "$(touch /tmp/owned)",
        "JSON": '{"images": []}',
    }
    yield from ((name, text.encode()) for name, text in texts.items())
    for kind in ("GIF", "ICO", "TGA", "PCX", "ICNS", "SGI", "JPEG2000"):
        yield f"a whole {kind}", image(DARK, kind)
    yield "a pickle", b"\x80\x04\x95\x00cos\nsystem\n(S'id'\ntR."
    yield "a program", b"\x7fELF\x02\x01\x01" + bytes(500)
    yield "a tiny image", image(DARK, "BMP", side=8)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + _chunk(b"IEND", b"")


def _bombs() -> Iterator[tuple[str, bytes]]:
    """Small files that say, or come to, very much."""
    nothing = zlib.compress(bytes(100_000_000), 9)
    for width, height in ((HUGE, HUGE), (HUGE, 20), (20, HUGE), (2**31 - 1, 2**31 - 1), (1001, 1000), (0, 0)):
        yield f"PNG of {width} × {height}", _png(width, height, _chunk(b"IDAT", nothing[:1000]))
    yield "PNG with text of 100 MB", _png(80, 80, _chunk(b"zTXt", b"a\0\0" + nothing))
    yield "PNG with a profile of 100 MB", _png(80, 80, _chunk(b"iCCP", b"a\0\0" + nothing))
    bmp = bytearray(image(DARK, "BMP"))
    bmp[18:26] = struct.pack("<ii", HUGE, HUGE)
    yield "BMP that says it is huge", bytes(bmp)
    webp = bytearray(image(DARK, "WEBP", lossless=True))
    webp[21:25] = b"\xff\xff\xff\x0f"
    yield "WebP that says it is huge", bytes(webp)
    start = image(DARK, "JPEG")
    at = start.index(b"\xff\xc0") + 5
    yield "JPEG that says it is huge", start[:at] + struct.pack(">HH", HUGE, HUGE) + start[at + 4 :]
    pages = io.BytesIO()
    from PIL import Image

    page = Image.new("RGB", (40, 40))
    page.save(pages, "TIFF", save_all=True, append_images=[page] * 50)
    yield "TIFF of 51 pages", pages.getvalue()
    moving = io.BytesIO()
    page.save(moving, "PNG", save_all=True, append_images=[Image.new("RGB", (40, 40), "red")] * 9)
    yield "PNG that moves", moving.getvalue()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("image.png", bytes(100_000_000))
    yield "ZIP of 100 MB", archive.getvalue()
    wrong: list[dict[str, Any]] = [{"Rows": 60_000, "Columns": 60_000}, {"NumberOfFrames": 1000}, {"Rows": 0}]
    for changes in wrong:
        yield f"DICOM with {changes}", written(photograph(sample(), **changes))


def _polyglots() -> Iterator[tuple[str, bytes]]:
    """Two kinds in one file, of which the first one is not taken."""
    for kind, content in _whole().items():
        yield f"GIF and {kind}", b"GIF89a" + content
        yield f"HTML and {kind}", b"<!DOCTYPE html><script>alert(1)</script>" + content
        yield f"PDF and {kind}", b"%PDF-1.4\n" + content
