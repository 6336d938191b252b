"""A folder of images through preprocessing into another folder, in parallel; what is there is not made again.

A square has the time of last change of the image it was made from: as long as both agree, it is up to date.
"""

import io
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from PIL import Image

from transxv2s import comparison
from transxv2s.errors import DataError, ImageError
from transxv2s.files import make_folders, readable, write_whole
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import Preprocessing, Rgb
from transxv2s.progress import progress
from transxv2s.workers import workers

PARAMETERS = "preprocessing.json"
PAGE, STRIPS = "comparison.html", "comparison"
AT_ONCE = 4  # images that a worker gets at a time
SAME_TIME = 2_000_000_000  # nanoseconds; some file systems count in steps of two seconds

Outcome: TypeAlias = Literal["made", "there"] | ImageError


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
        source: Folder of the images.
        target: Folder of the squares; paths below it are those below `source`.
        preprocessing: How squares are made.
        compare: Whether strips are made too.
    """

    source: Path
    target: Path
    preprocessing: Preprocessing
    compare: bool = False

    def square(self, image: Path) -> Path:
        """Where the square of an image goes."""
        return (self.target / image.relative_to(self.source)).with_suffix(".png")

    def strip(self, image: Path) -> Path:
        """Where its strip goes."""
        return (self.target / STRIPS / image.relative_to(self.source)).with_suffix(".jpg")


@dataclass
class Done:
    """What came of it, in numbers of images; `left` were not reached before the run was stopped."""

    made: int = 0
    there: int = 0
    left: int = 0
    failures: list[ImageError] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Takes in the outcome of one image."""
        if isinstance(outcome, ImageError):
            self.failures.append(outcome)
        elif outcome == "made":
            self.made += 1
        else:
            self.there += 1


def open_target(job: Job) -> None:
    """Makes the folder of the squares, or finds that it may be gone on with.

    Raises:
        DataError: It is the folder of the images or within it, belongs to others, or holds squares of another
            preprocessing.
    """
    target, source = job.target.resolve(), job.source.resolve()
    if target == source or source in target.parents:
        raise DataError(
            f"{job.target} is or lies in the folder of the images; name another folder to write to."
        )
    make_folders(job.target)
    parameters = job.target / PARAMETERS
    if parameters.exists():
        _check_digest(parameters, job.preprocessing.digest())
    elif any(job.target.iterdir()):
        raise DataError(f"{job.target} holds files that are not of this command; name a new or empty folder.")
    content = {"digest": job.preprocessing.digest(), **job.preprocessing.model_dump(mode="json")}
    write_whole(parameters, json.dumps(content, indent=2) + "\n")


def _check_digest(parameters: Path, digest: str) -> None:
    try:
        found = json.loads(parameters.read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{parameters} cannot be read; name a new folder to write to.") from error
    if found != digest:
        raise DataError(
            f"{parameters.parent} holds images of another preprocessing (digest {found}, now {digest}); name "
            f"another folder, or remove this one to make all of them again."
        )


def run(job: Job, images: Sequence[Path]) -> Done:
    """Makes what is not there yet; failures are set aside and Ctrl-C loses nothing.

    Raises:
        DataError: A file cannot be written, or the system ended a worker.
    """
    done = Done(left=len(images))
    unique, done.failures = _without_clashes(job, images)
    done.left = len(unique)
    try:
        with workers(len(images), AT_ONCE) as pool:
            outcomes = pool.map(partial(make, job), unique, chunksize=AT_ONCE)
            with progress("Preprocessing", len(unique)) as advance:
                for outcome in outcomes:
                    done.count(outcome)
                    done.left -= 1
                    advance(1)
    except KeyboardInterrupt:
        pass
    except BrokenProcessPool as error:
        raise DataError(
            "the system ended a worker, most likely for want of memory; what was made is kept: free memory "
            "and run again."
        ) from error
    return done


def _without_clashes(job: Job, images: Iterable[Path]) -> tuple[list[Path], list[ImageError]]:
    """The images, without those whose square another one's would overwrite."""
    first: dict[str, Path] = {}
    clashes = []
    for image in images:
        other = first.setdefault(os.path.normcase(job.square(image)), image)
        if other is not image:
            reason = f"its result would have the name of that of {readable(other.name)}; rename one of them"
            clashes.append(ImageError(readable(image), reason))
    return list(first.values()), clashes


def make(job: Job, image: Path) -> Outcome:
    """Makes the square of one image, and its strip if wanted, unless both are there."""
    wanted = [job.square(image), *([job.strip(image)] if job.compare else [])]
    try:
        changed = image.stat().st_mtime_ns
        if all(_is_of(file, changed) for file in wanted):
            return "there"
        contents = _contents(job, decode(image, readable(image)))
    except ImageError as error:
        return error
    except (
        Exception
    ) as error:  # a fault of ours that one odd image brings out: the others are made all the same
        return ImageError(
            readable(image), f"it cannot be preprocessed ({error}); leave it out and report this"
        )
    make_folders(*(file.parent for file in wanted))
    for file, content in zip(wanted, contents, strict=True):
        write_whole(file, content)
        os.utime(file, ns=(changed, changed))
    return "made"


def _is_of(file: Path, changed: int) -> bool:
    try:
        return abs(file.stat().st_mtime_ns - changed) <= SAME_TIME
    except OSError:
        return False


def _contents(job: Job, rgb: Rgb) -> list[bytes]:
    """The files to write, in the order of `make`."""
    square = job.preprocessing.apply(rgb)
    buffer = io.BytesIO()
    Image.fromarray(square).save(buffer, "PNG")
    strips = (
        [comparison.strip_file(*comparison.compare(rgb, square, job.preprocessing))] if job.compare else []
    )
    return [buffer.getvalue(), *strips]


def write_page(job: Job, images: Sequence[Path]) -> Path:
    """A page of all strips that are there."""
    strips = [(image, job.strip(image)) for image in images]
    entries = [
        comparison.Entry(readable(image.relative_to(job.source)), strip.relative_to(job.target), taken)
        for image, strip in strips
        if (taken := comparison.Taken.read(strip))
    ]
    page = job.target / PAGE
    write_whole(page, comparison.render(entries, job.preprocessing, readable(job.source.resolve().name)))
    return page
