"""Examining images on a Ray cluster: batches over machines, made again elsewhere when one of them is lost.

All machines read the images and the checkpoint from the same paths. One process a core loads the checkpoint
once. Findings come back to the process that asked, which alone writes them. Ray Data must be led from a
machine of the cluster: for a process elsewhere, which comes through Ray's client (ray://), an actor there
leads it.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from transxv2s.bulk import Here, Image, Line
from transxv2s.checkpoint import read_config
from transxv2s.classifier import Classifier
from transxv2s.engines import AUTO, REFERENCE
from transxv2s.engines.engine import parse
from transxv2s.engines.store import exact
from transxv2s.errors import CheckpointError, ConfigError, TransXV2SError
from transxv2s.files import readable

PATIENCE = 10  # seconds for the cluster to answer
BLOCKS = 10_000  # into which the images are cut at most: each costs the leading process some milliseconds
CLIENT = "ray://"
HEAD = "node:__internal_head__"  # what Ray calls the machine that the cluster began with

Column = NDArray[Any]
Files: TypeAlias = list[tuple[bytes, str, str]]  # absolute path as the system has it, id, group or ""
Made: TypeAlias = tuple[list[int], list[str]]  # numbers of files, and their lines as JSON


class Job(NamedTuple):
    """What the processes of the cluster are told.

    Attributes:
        directory: Of the checkpoint, as every machine sees it.
        checkpoint: Its digest.
        engine: Name of what runs the network.
        batch_size: Images that go through it together.
    """

    directory: str
    checkpoint: str
    engine: str
    batch_size: int


class Worker:
    """In a process of the cluster: the classifier, loaded once.

    What keeps it from work is its answer: an error while it starts would come out as a page of Ray's own.
    """

    def __init__(self, job: Job) -> None:
        try:
            self._ready: Classifier | str = _loaded(job)
        except TransXV2SError as error:
            self._ready = str(error)

    def __call__(self, batch: dict[str, Column]) -> dict[str, Column]:
        """Lines of a batch of files, each with its number."""
        images = [
            Image(Path(os.fsdecode(file)), name, group or None)
            for file, name, group in zip(batch["file"], batch["id"], batch["group"], strict=True)
        ]
        lines = [json.dumps(line) for line in self._lines(images)]
        return {"number": batch["number"], "line": np.array(lines, dtype=object)}

    def _lines(self, images: list[Image]) -> list[Line]:
        if isinstance(self._ready, str):
            return [{"fault": self._ready}] * len(images)
        return [line for made in Here(self._ready, len(images)).lines(images) for line in made]


class Leader:
    """On a machine of the cluster: leads the work for a process that is on none of them."""

    def __init__(self, job: Job, files: Files) -> None:
        self._made = examined(job, files)

    def next(self) -> Made | None:
        """Some more; None when all is done."""
        return next(self._made, None)


@dataclass(frozen=True)
class There:
    """Examines on a cluster.

    Attributes:
        address: Of a running Ray cluster: on one of its machines "auto" or "host:6379", from elsewhere
            "ray://host:10001".
        checkpoint: Directory that all its machines see.
        batch_size: Images that go through the network together, ≥ 1.
        engine: What runs the network on every machine; "auto" could mean another one on each.

    Raises:
        ConfigError: The engine is "auto".
        InputError: There is no such engine.
    """

    address: str
    checkpoint: Path
    batch_size: int
    engine: str = REFERENCE

    def __post_init__(self) -> None:
        if self.engine == AUTO:
            raise ConfigError(
                "--engine auto may choose differently on each machine: name the engine with --cluster"
            )
        parse(self.engine)

    @property
    def maker(self) -> dict[str, str]:
        """The checkpoint and the engine, in int8 with the calibration that is named, or that of this machine.

        Raises:
            ConfigError: int8 was not calibrated on this machine: each of the others could mean another one.
        """
        digest = read_config(self.checkpoint)[1]
        chosen = exact(digest, parse(self.engine))
        if chosen.precision == "int8" and not chosen.calibration:
            raise ConfigError(
                f"{self.engine} is not calibrated on this machine, so each machine of the cluster could mean "
                f"another calibration: name one, as {self.engine}@DIGEST"
            )
        return {"checkpoint": digest, "engine": chosen.name}

    def lines(self, images: Sequence[Image]) -> Iterator[list[Line]]:
        """Lines of each batch, as they come.

        Raises:
            ConfigError: Ray is not installed, the cluster does not answer or stops, or a machine cannot work.
        """
        if not images:
            return
        job = Job(str(self.checkpoint.absolute()), **self.maker, batch_size=self.batch_size)
        files = [(os.fsencode(image.absolute), image.id, image.group or "") for image in images]
        ray = _connected(self.address)
        try:
            outside = self.address.startswith(CLIENT)
            for numbers, lines in _led_there(ray, job, files) if outside else examined(job, files):
                yield [_line(line, images[n]) for n, line in zip(numbers, lines, strict=True)]
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise ConfigError(
                f"the cluster stopped work ({type(error).__name__}, of which Ray's logs on its machines say "
                f"more): what was found is kept, run the same command again"
            ) from error
        finally:
            ray.shutdown()


def examined(job: Job, files: Files) -> Iterator[Made]:
    """What the cluster makes of files, as it comes; called on one of its machines."""
    import ray
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False  # we have one of our own
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # and sentences of our own
    columns = ("number", "file", "id", "group")
    rows = [dict(zip(columns, (n, *file), strict=True)) for n, file in enumerate(files)]
    blocks = min(BLOCKS, -(-len(rows) // job.batch_size))
    made = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
        Worker,
        fn_constructor_args=(job,),
        batch_size=job.batch_size,
        concurrency=(1, _cores(ray)),
        num_cpus=1,
    )
    for batch in made.iter_batches(batch_size=None, batch_format="numpy"):
        yield batch["number"].tolist(), batch["line"].tolist()


def _led_there(ray: ModuleType, job: Job, files: Files) -> Iterator[Made]:
    leader = ray.remote(num_cpus=0, resources={HEAD: 0.001})(Leader).remote(job, files)
    while made := ray.get(leader.next.remote()):
        yield made


def _cores(ray: ModuleType) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _loaded(job: Job) -> Classifier:
    classifier = Classifier.load(job.directory, "cpu", job.engine, threads=1)
    if classifier.digest != job.checkpoint:
        raise CheckpointError(
            f"{job.directory} is another checkpoint on one of the machines: share the folder"
        )
    return classifier


def _line(encoded: str, image: Image) -> Line:
    """A line under this process' name of the file.

    Raises:
        ConfigError: In its place stands why a machine cannot work.
    """
    line: Line = json.loads(encoded)
    if "fault" in line:
        raise ConfigError(f"a machine of the cluster cannot work: {line['fault']}")
    return line | {"file": readable(image.file)}


def _connected(address: str) -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
        import ray.data
    except ImportError:
        raise ConfigError("a cluster needs Ray: install transxv2s[cluster] on all its machines") from None
    try:
        if address != "auto":  # Ray itself would try for minutes
            host, _, port = address.removeprefix(CLIENT).rpartition(":")
            socket.create_connection((host, int(port)), timeout=PATIENCE).close()
        logging.getLogger("ray").setLevel(logging.WARNING)
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the cluster at {address} does not answer: start it with 'ray start'") from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"the cluster at {address} cannot be joined: {reason}") from error
    return ray
