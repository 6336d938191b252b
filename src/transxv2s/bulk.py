"""Findings of very many images in a file of JSON lines that grows as they are made.

One line an image: a finding with the file it came from in front, or `{"file": …, "reason": …}` of one that
cannot be examined. Memory does not grow with the images but for their names, and a stopped run goes on where
it was: a line counts if it is whole, of the same checkpoint and engine, and of the same state of the file.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

from transxv2s.ahead import batches_ahead
from transxv2s.classifier import Classifier, Prepared
from transxv2s.errors import DataError, ImageError
from transxv2s.files import append, growing, readable, replacing, state_key
from transxv2s.finding import Finding
from transxv2s.progress import progress

Line: TypeAlias = dict[str, Any]


class Image(NamedTuple):
    """A file to examine, and the id of its finding."""

    file: Path
    id: str


class Done(NamedTuple):
    """What the file of lines holds of the images asked for.

    Attributes:
        examined: Images with a finding.
        failed: Images that cannot be examined.
        kept: How many of both an earlier run had made.
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
    """Examines images into a file of lines; what it holds already of the same image files is kept.

    Args:
        path: The file. While work is under way it has `.partial` after its name.
        examiner: What examines them.
        images: Files with ids of their own.

    Raises:
        DataError: The file holds findings of another checkpoint, is none of ours, or cannot be written.
    """
    partial_file = growing(path)
    wanted = {readable(image.file): image for image in images}
    try:
        kept = _keep(path if path.exists() else partial_file, partial_file, wanted, examiner.maker)
        failed = sum(kept.values())
        with partial_file.open("ab") as stream, progress("Examining", len(images)) as advance:
            advance(len(kept))
            for lines in examiner.lines([image for name, image in wanted.items() if name not in kept]):
                append(stream, b"".join(map(_encoded, lines)))
                failed += sum("reason" in line for line in lines)
                advance(len(lines))
        partial_file.replace(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror}); name another place.") from error
    return Done(len(wanted) - failed, failed, len(kept))


def read_lines(path: Path) -> Iterator[Line]:
    """The whole lines of a file, one after the other; one that was cut off is left out.

    Raises:
        DataError: A line is none of ours.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                found = json.loads(line)
                found["file"], found["state"], found["checkpoint"], found["engine"]
            except (ValueError, KeyError, TypeError):
                raise DataError(f"line {number} of {path} is none of ours: name another file") from None
            yield found


def _keep(before: Path, after: Path, wanted: dict[str, Image], maker: dict[str, str]) -> dict[str, bool]:
    """Writes the lines that still hold anew; by file, whether it has failed."""
    kept: dict[str, bool] = {}
    with replacing(after) as stream:
        for line in read_lines(before) if before.exists() else ():
            if any(line[key] != value for key, value in maker.items()):
                raise DataError(f"{before} holds findings of another checkpoint or engine: name another file")
            image = wanted.get(line["file"])
            if image and line["file"] not in kept and line["state"] == _state(image):
                stream.write(_encoded(line))
                kept[line["file"]] = "reason" in line
    return kept


def _line(image: Image, state: str, found: Finding | str, maker: dict[str, str]) -> Line:
    said = {"reason": found} if isinstance(found, str) else found.model_dump(mode="json")
    return {"file": readable(image.file), "state": state, **said, **maker}


def _prepare(classifier: Classifier, image: Image) -> tuple[Prepared | str, str]:
    """The image without its original, or why it cannot be examined; and the state of its file before."""
    state = _state(image)
    try:
        prepared = classifier.prepare(image.file)
    except ImageError as error:
        return error.reason, state
    return replace(prepared, id=image.id, original=prepared.seen), state


def _state(image: Image) -> str:
    return state_key(image.file).hex()


def _encoded(line: Line) -> bytes:
    return json.dumps(line).encode() + b"\n"
