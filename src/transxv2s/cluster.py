"""Examining images on a Ray cluster: batches over machines, made again elsewhere when one of them is lost.

All machines read the images and the checkpoint from the same paths. One process a core loads the checkpoint
once. Findings come back to the process that asked, which alone writes them.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transxv2s.bulk import Here, Image, Line
from transxv2s.checkpoint import read_config
from transxv2s.classifier import Classifier
from transxv2s.engines import REFERENCE
from transxv2s.errors import CheckpointError, ConfigError
from transxv2s.files import readable

PATIENCE = 10  # seconds for the cluster to answer
Column = NDArray[Any]


class Worker:
    """In a process of the cluster: the classifier, loaded once.

    Args:
        checkpoint: Its directory, as this machine sees it.
        digest: What it must be.

    Raises:
        CheckpointError: This machine has another checkpoint there, or none.
    """

    def __init__(self, checkpoint: str, digest: str) -> None:
        self._classifier = Classifier.load(checkpoint, "cpu")
        if self._classifier.digest != digest:
            raise CheckpointError(
                f"{checkpoint} is another checkpoint on one of the machines: share the folder"
            )

    def __call__(self, batch: dict[str, Column]) -> dict[str, Column]:
        """Lines of a batch of files, each with its number."""
        images = [Image(Path(file), name) for file, name in zip(batch["file"], batch["id"], strict=True)]
        here = Here(self._classifier, len(images))
        lines = [json.dumps(line) for made in here.lines(images) for line in made]
        return {"number": batch["number"], "line": np.array(lines, dtype=object)}


@dataclass(frozen=True)
class There:
    """Examines on a cluster.

    Attributes:
        address: Of a running Ray cluster: "auto" on one of its machines, or "host:6379".
        checkpoint: Directory that all its machines see.
        batch_size: Images that go through the network together, ≥ 1.
    """

    address: str
    checkpoint: Path
    batch_size: int

    @property
    def maker(self) -> dict[str, str]:
        """The checkpoint and the engine."""
        return {"checkpoint": read_config(self.checkpoint)[1], "engine": REFERENCE}

    def lines(self, images: Sequence[Image]) -> Iterator[list[Line]]:
        """Lines of each batch, as they come.

        Raises:
            ConfigError: Ray is not installed, or the cluster does not answer.
        """
        if not images:
            return
        ray = _connected(self.address)
        try:
            rows = [
                {"number": n, "file": str(image.file.absolute()), "id": image.id}
                for n, image in enumerate(images)
            ]
            cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
            found = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // self.batch_size))
            made = found.map_batches(
                Worker,
                fn_constructor_args=(str(self.checkpoint.absolute()), self.maker["checkpoint"]),
                batch_size=self.batch_size,
                concurrency=(1, cores),
                num_cpus=1,
            )
            for batch in made.iter_batches(batch_size=None, batch_format="numpy"):
                pairs = zip(batch["number"].tolist(), map(json.loads, batch["line"]), strict=True)
                yield [line | {"file": readable(images[number].file)} for number, line in pairs]
        finally:
            ray.shutdown()


def _connected(address: str) -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
        import ray.data
    except ImportError:
        raise ConfigError("a cluster needs Ray: install transxv2s[cluster] on all its machines") from None
    try:
        if address != "auto":  # Ray itself would try for minutes
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), timeout=PATIENCE).close()
        ray.init(address=address, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(f"the cluster at {address} does not answer: start it with 'ray start'") from error
    ray.data.DataContext.get_current().enable_progress_bars = False  # we have one of our own
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray
