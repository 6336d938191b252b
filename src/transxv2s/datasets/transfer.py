"""One file over HTTP into `NAME.part`: resumed where the server can, tried again where it breaks off."""

import errno
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from time import sleep
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, ValidationError
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from transxv2s import __version__
from transxv2s.errors import DataError
from transxv2s.files import write_whole

CHUNK = 1 << 16  # bytes; when a connection breaks, at most so many are fetched twice
TIMEOUT = (15.0, 60.0)  # seconds to connect, and to wait for the next byte
ATTEMPTS = 4  # in a row without a new byte
BACKOFF = 1.0  # seconds, doubled from attempt to attempt
BUSY = (429, 500, 502, 503, 504)
AGAIN = "run the command again to go on from there"


class Remote(BaseModel):
    """What a server says of a file.

    Attributes:
        address: Where it is.
        size: Bytes; None where the server does not say.
        validator: Strong ETag or date of change, which must still hold to resume; None without either.
    """

    model_config = ConfigDict(frozen=True)

    address: str
    size: int | None
    validator: str | None


def open_session() -> requests.Session:
    """A session that tries again, more and more slowly, when a server is busy or cannot be reached."""
    session = requests.Session()
    # identity: a compressed answer has neither the size nor the ranges of the file itself
    session.headers.update({"Accept-Encoding": "identity", "User-Agent": f"transxv2s/{__version__}"})
    retry = Retry(total=ATTEMPTS, backoff_factor=BACKOFF, status_forcelist=BUSY, raise_on_status=False)
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def probe(session: requests.Session, address: str) -> Remote:
    """Asks for a file's size and version.

    It is a GET that is not read: the store behind Dataverse refuses HEAD (IQSS/dataverse issue 5322).

    Raises:
        DataError: The server cannot be reached, or does not give the file.
    """
    try:
        with _get(session, address) as response:
            length = response.headers.get("Content-Length", "")
            size = int(length) if length.isdigit() else None
            return Remote(address=address, size=size, validator=_validator(response))
    except requests.RequestException as error:
        raise DataError(
            f"{urlsplit(address).netloc} cannot be reached ({type(error).__name__}): check the network and "
            "run the command again, or name another server with --mirror"
        ) from error


def kept(remote: Remote, part: Path) -> int:
    """Bytes of an earlier, broken download that still belong to the file on the server."""
    notes = _notes(part)
    if not (part.exists() and notes.exists() and remote.validator):
        return 0
    try:
        before = Remote.model_validate_json(notes.read_bytes())
    except ValidationError:  # cut by a crash
        return 0
    size, fits = part.stat().st_size, before.validator == remote.validator
    return size if fits and (remote.size is None or size <= remote.size) else 0


def fetch(session: requests.Session, remote: Remote, part: Path, at: Callable[[int], None]) -> None:
    """Brings a file, from where an earlier download stopped if that is still the same file.

    Args:
        session: From `open_session`.
        remote: From `probe`, just now.
        part: Where it grows; stays there for the next time when this one fails.
        at: Is told how many bytes are there.

    Raises:
        DataError: The connection breaks again and again, the file changes meanwhile, or the disk is full.
    """
    failures, furthest = 0, kept(remote, part)
    while not part.exists() or kept(remote, part) != remote.size:
        try:
            _receive(session, remote, part, at)
        except requests.RequestException as error:
            size = part.stat().st_size if part.exists() else 0
            failures, furthest = (0 if size > furthest else failures + 1), max(size, furthest)
            if failures == ATTEMPTS:
                raise DataError(
                    f"the connection for {part.stem} broke {ATTEMPTS} times in a row after {size:,} bytes: "
                    f"{AGAIN}"
                ) from error
            sleep(BACKOFF * 2**failures)
        except OSError as error:
            raise _disk_error(part, error) from error
        else:
            break
    _check_size(remote, part)


def discard(part: Path) -> None:
    """Removes a partial file and what is known of it."""
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def _receive(session: requests.Session, remote: Remote, part: Path, at: Callable[[int], None]) -> None:
    start = kept(remote, part)
    wanted = {"Range": f"bytes={start}-", "If-Range": remote.validator or ""} if start else {}
    with _get(session, remote.address, wanted) as response:
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                discard(part)
                raise requests.ConnectionError("the server sent another range than it was asked for")
        else:  # the server knows no ranges, or the file is no longer the same: from the start
            start = 0
            discard(part)
            now = remote.model_copy(update={"validator": _validator(response)})
            write_whole(_notes(part), now.model_dump_json())
        with part.open("ab") as stream:
            at(start)
            for chunk in response.iter_content(CHUNK):
                stream.write(chunk)
                at(stream.tell())


def _get(session: requests.Session, address: str, headers: dict[str, str] | None = None) -> requests.Response:
    """The beginning of an answer that has the file in it.

    Raises:
        requests.RequestException: There is no answer.
        DataError: The answer is a refusal or a page.
    """
    response = session.get(address, headers=headers, stream=True, timeout=TIMEOUT)
    page = response.headers.get("Content-Type", "").startswith("text/html")
    if response.ok and not page:
        return response
    response.close()
    answer = "a web page" if response.ok else f"{response.status_code} {response.reason}"
    advice = (
        "the server is busy, run the command again later"
        if response.status_code in BUSY
        else "the file may have moved, see the publisher's page and name a server that has it with --mirror"
    )
    raise DataError(f"{urlsplit(address).netloc} answered {answer} for {address}: {advice}")


def _validator(response: requests.Response) -> str | None:
    tag = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):  # a weak tag allows other bytes (RFC 9110, 13.1.5)
        return tag
    return response.headers.get("Last-Modified")


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _check_size(remote: Remote, part: Path) -> None:
    size = part.stat().st_size
    if remote.size is not None and size != remote.size:
        discard(part)
        raise DataError(
            f"{part.stem} came with {size:,} bytes and was announced with {remote.size:,}, so it was "
            "removed: run the command again"
        )


def _disk_error(part: Path, error: OSError) -> DataError:
    if error.errno == errno.ENOSPC:
        return DataError(f"the disk is full, {part} stopped there: free space and {AGAIN}")
    return DataError(f"{part} cannot be written ({error.strerror or error}): choose another --root")
