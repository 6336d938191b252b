"""What was downloaded, written down beside it in `download.json`."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from transxv2s.datasets.catalogue import Collection
from transxv2s.errors import DataError
from transxv2s.files import write_whole

RECORD = "download.json"


class Received(BaseModel):
    """What is known of a file that came.

    Attributes:
        address: Where it came from.
        bytes: Its size as it came.
        sha256: What it hashed to as it came.
        published_checksum: What the publisher says it must hash to, which it did; None: he says nothing.
        files: How many files it was unpacked into; None where it is no archive.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    bytes: int
    sha256: str
    published_checksum: str | None
    files: int | None


class Record(BaseModel):
    """The contents of `download.json`: title, licence, and what came by the publisher's file name."""

    title: str
    licence: str
    received: dict[str, Received] = {}


def read_record(root: Path, collection: Collection) -> Record:
    """What earlier runs wrote down, or an empty record.

    Raises:
        DataError: The record is damaged, or of another data set.
    """
    path = root / RECORD
    if not path.exists():
        return Record(title=collection.title, licence=collection.licence)
    try:
        record = Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(
            f"{path} is not a record of a download: move it away and run the command again"
        ) from error
    if record.title != collection.title:
        raise DataError(f"{root} holds {record.title}: choose another --root for {collection.title}")
    return record


def write_record(root: Path, record: Record) -> None:
    """Writes it beside the data, whole or not at all."""
    write_whole(root / RECORD, record.model_dump_json(indent=2))
