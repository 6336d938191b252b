"""DICOM files opened with care: known encodings only, and no attribute but those that are asked for.

Whatever goes wrong becomes one sentence without a word of the file in it, because its words may be the
patient's name. For the same reason no exception is chained and the libraries' own warnings, which quote
values, are silenced.
"""

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from pydicom import Dataset, config
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from transxv2s.errors import ImageError
from transxv2s.imaging.decode import COPY_AGAIN, Limits

PREAMBLE = 128
MAGIC = b"DICM"
META = 0x0002
PIXEL_DATA = 0x7FE00010
ITEM = b"\xfe\xff\x00\xe0"
MAX_HEADER = 4_000_000  # bytes before the picture
MAX_ITEMS = 10_000  # of sequences therein
UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
COMPRESSED = (JPEGBaseline8Bit, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000)
DAMAGED = f"the DICOM file is damaged or cut off; {COPY_AGAIN}"
OVERLOADED = "the DICOM file holds too much besides its picture; export it without attachments"

ONE_AT_A_TIME = threading.RLock()

Result = TypeVar("Result")


class Refused(Exception):  # noqa: N818 - becomes an ImageError as soon as the name is known
    """The reason why a file cannot be used, which quotes nothing of it."""


def is_dicom(content: bytes) -> bool:
    """Whether this is a DICOM file: a preamble of 128 bytes and the letters DICM (PS3.10, 7.1)."""
    return content[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC


@contextmanager
def silence() -> Iterator[None]:
    """No warnings from the DICOM libraries: they quote values. One thread at a time, as both are global."""
    with ONE_AT_A_TIME, config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def in_one_sentence(work: Callable[[], Result], name: str) -> Result:
    """What the work returns.

    Raises:
        ImageError: It could not be done, for whatever reason; neither it nor its causes quote the file.
    """
    try:
        with silence():
            return work()
    except Refused as refusal:
        reason = str(refusal)
    except Exception:  # pydicom and the decoders raise all kinds
        reason = DAMAGED
    raise ImageError(name, reason)  # here and not above, or the cause would hang on to it


def opened(content: bytes, keywords: Sequence[str], limits: Limits) -> Dataset:
    """The named attributes of a DICOM file; all others, private ones too, are skipped unread.

    Skipping a sequence still makes an object of each of its items, hence the limits on what comes before the
    picture. What comes after it is not looked at.

    Raises:
        Refused: It is too large, no DICOM file, or of an encoding that is not taken.
    """
    if problem := limits.problem_of_bytes(len(content)):
        raise Refused(problem)
    if not is_dicom(content):
        raise Refused("this is no DICOM file; send a DICOM file, or a JPEG or PNG image")
    if content.count(ITEM, 0, MAX_HEADER) > MAX_ITEMS:
        raise Refused(OVERLOADED)
    stream = io.BytesIO(content[:MAX_HEADER])
    stream.seek(PREAMBLE + len(MAGIC))
    meta = FileMetaDataset(read_dataset(stream, False, True, stop_when=_after_meta))
    implicit = _known(meta.get("TransferSyntaxUID")).is_implicit_VR
    tags: list[BaseTag | int] = [tag for tag in map(tag_for_keyword, keywords) if tag is not None]
    dataset = read_dataset(stream, implicit, True, stop_when=_at_picture, specific_tags=tags)
    if stream.tell() > len(content):
        raise Refused(DAMAGED)
    if stream.tell() >= MAX_HEADER:
        raise Refused(OVERLOADED)
    rest = io.BytesIO(content)
    rest.seek(stream.tell())
    dataset.update(read_dataset(rest, implicit, True, stop_when=_after_picture, specific_tags=tags))
    dataset.file_meta = meta
    return dataset


def _after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != META


def _at_picture(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) == PIXEL_DATA


def _after_picture(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) != PIXEL_DATA


def _known(value: object) -> UID:
    """The encoding, if it is one that is taken.

    For JPEG Lossless, HTJ2K and JPEG XL no decoder is installed. Deflate and RLE do not say beforehand how
    large they become.
    """
    syntax = UID(str(value))
    if syntax in (*UNCOMPRESSED, *COMPRESSED):
        return syntax
    known = f"as {syntax.name}" if syntax.is_transfer_syntax else "in an unknown way"
    raise Refused(
        f"the DICOM file is encoded {known}, which is not taken; "
        "send it uncompressed (little endian) or as baseline JPEG, JPEG-LS or JPEG 2000"
    )
