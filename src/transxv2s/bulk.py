"""Findings of very many images in a file of JSON lines that grows as they are made.

One line an image: a finding with the file it came from in front, or the reason why it cannot be examined.
Memory does not grow with the images but for their names, and a stopped run goes on where it was: a finding
counts if its line is whole, of the same checkpoint and engine, and of the same state of the file. What could
not be examined is tried again, as the fault may have been a disk's or a permission's. Lines of images that
are not asked for stay.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from transxv2s.ahead import batches_ahead
from transxv2s.classifier import Classifier, Prepared
from transxv2s.errors import DataError, ImageError
from transxv2s.files import KEY_BYTES, alone, append, growing, readable, replacing, state_key, writing
from transxv2s.finding import Finding
from transxv2s.progress import progress

Line: TypeAlias = dict[str, Any]

KEYS = ("file", "place", "state", "checkpoint", "engine")  # of every line


class Image(NamedTuple):
    """A file to examine, the id of its finding, and its group where prediction sets are fitted by group."""

    file: Path
    id: str
    group: str | None = None

    @property
    def absolute(self) -> Path:
        """The file by the same path, whatever way it was reached; links stay what they are called."""
        return Path(os.path.abspath(self.file))  # noqa: PTH100 (pathlib keeps "..", or follows links)

    @property
    def place(self) -> str:
        """Tells this file from all others: a digest of its absolute path, byte for byte."""
        return hashlib.blake2b(os.fsencode(self.absolute), digest_size=KEY_BYTES).hexdigest()


class Done(NamedTuple):
    """What the file of lines holds of the images asked for.

    Attributes:
        examined: Images with a finding.
        failed: Images that cannot be examined.
        kept: How many of the findings an earlier run had made.
    """

    examined: int
    failed: int
    kept: int


class Examiner(Protocol):
    """What makes lines of images: this process, or a cluster."""

    @property
    def maker(self) -> dict[str, str]:
        """What every line tells of who made it: the `checkpoint` by its digest, the `engine` by its name."""
        ...

    def lines(self, images: Sequence[Image]) -> Iterator[list[Line]]:
        """A line of each image, some at a time, in any order."""
        ...


@dataclass(frozen=True)
class Here:
    """Examines in this process, reading some batches ahead of the network.

    Attributes:
        classifier: What examines.
        batch_size: Images that go through the network together, ≥ 1.
    """

    classifier: Classifier
    batch_size: int

    @property
    def maker(self) -> dict[str, str]:
        """The checkpoint and the engine."""
        return {"checkpoint": self.classifier.digest, "engine": self.classifier.engine}

    def lines(self, images: Sequence[Image]) -> Iterator[list[Line]]:
        """Lines of each batch, in order."""
        for batch in batches_ahead(partial(_prepare, self.classifier), images, self.batch_size):
            ready = [found for _, (found, _) in batch if isinstance(found, Prepared)]
            findings = iter(self.classifier.findings(ready))
            yield [
                _line(image, state, found if isinstance(found, str) else next(findings), self.maker)
                for image, (found, state) in batch
            ]


def examine_into(path: Path, examiner: Examiner, images: Sequence[Image]) -> Done:
    """Examines images into a file of lines, which keeps what it holds already.

    First come the lines that were there, in their order: those of other images as they are; those of images
    asked for under this run's path and id, but not if the file has changed since. New lines follow, from this
    process in the order of the images, from a cluster as they come.

    Args:
        path: The file. While work is under way it has `.partial` after its name.
        examiner: What examines them.
        images: Files with ids of their own.

    Raises:
        DataError: The file holds findings of another checkpoint or engine, is none of ours, is being written
            by another run, or cannot be read or written.
    """
    wanted = {image.place: image for image in images}
    with alone(path):
        kept = _keep(path, wanted, examiner.maker)
        failed = 0
        todo = [image for place, image in wanted.items() if place not in kept]
        with progress("Examining", len(wanted)) as advance:
            advance(len(kept))
            for lines in _grow(path, examiner.lines(todo)):
                failed += sum("reason" in line for line in lines)
                advance(len(lines))
        with writing(path):
            growing(path).replace(path)
    return Done(len(wanted) - failed, failed, len(kept))


def read_lines(path: Path) -> Iterator[Line]:
    """The whole lines of a file, one after the other; one that was cut off is left out.

    Raises:
        DataError: A line is none of ours, or the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if not line.endswith(b"\n"):
                    return
                yield _decoded(line, number, path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name another file.") from error


def _decoded(encoded: bytes, number: int, path: Path) -> Line:
    try:
        line: Line = json.loads(encoded)
        if all(isinstance(line[key], str) for key in KEYS):
            return line
    except (ValueError, KeyError, TypeError):
        pass
    raise DataError(f"line {number} of {path} is none of ours: name another file")


def _keep(path: Path, wanted: dict[str, Image], maker: dict[str, str]) -> set[str]:
    """Begins the growing file with the lines that still hold; the places of images asked for among them."""
    kept: set[str] = set()
    with writing(path), replacing(growing(path)) as stream:
        for line in _there(path, maker):
            image = wanted.get(line["place"])
            if image is None:
                stream.write(_encoded(line))
            elif "reason" not in line and line["state"] == _state(image):
                stream.write(_encoded(line | _named(image)))
                kept.add(image.place)
    return kept


def _there(path: Path, maker: dict[str, str]) -> Iterator[Line]:
    """One line an image: of a stopped run, and then of the finished file which that run extends."""
    seen: set[str] = set()
    for source in (growing(path), path):
        for line in read_lines(source) if source.exists() else ():
            _check_maker(source, line, maker)
            if line["place"] not in seen:
                seen.add(line["place"])
                yield line


def _check_maker(path: Path, line: Line, maker: dict[str, str]) -> None:
    other = {key: line[key] for key, value in maker.items() if line[key] != value}
    if "checkpoint" in other:
        raise DataError(f"{path} holds findings of another checkpoint: name another file")
    if other:
        raise DataError(
            f"{path} holds findings of the engine {other['engine']}, which is not {maker['engine']}: "
            f"take --engine {other['engine']}, or name another file"
        )


def _grow(path: Path, made: Iterator[list[Line]]) -> Iterator[list[Line]]:
    """Adds lines to the growing file; each time they come out here, they are safe on the disk."""
    with writing(path):
        stream = growing(path).open("ab")
    with stream:
        for lines in made:
            with writing(path):
                append(stream, b"".join(map(_encoded, lines)))
            yield lines


def _line(image: Image, state: str, found: Finding | str, maker: dict[str, str]) -> Line:
    said = {"reason": found} if isinstance(found, str) else found.model_dump(mode="json")
    return {**_named(image), "place": image.place, "state": state, **said, **maker}


def _named(image: Image) -> Line:
    """What this run calls an image."""
    return {"file": readable(image.file), "id": image.id}


def _prepare(classifier: Classifier, image: Image) -> tuple[Prepared | str, str]:
    """The image without its original, or why it cannot be examined; and the state of its file before."""
    state = _state(image)
    try:
        prepared = classifier.prepare(image.file, group=image.group)
    except ImageError as error:
        return error.reason, state
    return replace(prepared, id=image.id, original=prepared.seen), state


def _state(image: Image) -> str:
    """Of the file, and of what is told of its group: with another one, another set may be found."""
    return " ".join(filter(None, (state_key(image.absolute).hex(), image.group)))


def _encoded(line: Line) -> bytes:
    return json.dumps(line).encode() + b"\n"
