"""The work itself: from the bytes of a stranger to a finding, pictures, heat maps and attention."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch

from transxv2s.ages import age_band
from transxv2s.checkpoint import read_checkpoint
from transxv2s.classifier import Classifier, Prepared
from transxv2s.engines.engine import AUTO, parse
from transxv2s.errors import ImageError, InputError
from transxv2s.explain import GraphAttention
from transxv2s.explain.overlay import CEILING, COLOUR_MAP
from transxv2s.imaging.decode import Limits, Rgb, decode
from transxv2s.serve.cases import Details, Picture
from transxv2s.serve.formats import dicom_in
from transxv2s.serve.formats.dicom_out import structured_report
from transxv2s.serve.formats.filing import filing_of
from transxv2s.serve.images import png
from transxv2s.serve.settings import Settings
from transxv2s.serve.worker_process import limit_memory


@dataclass(frozen=True)
class Examined:
    """What became of one image.

    Attributes:
        picture: Its finding, and itself without whatever else was in its file.
        details: What its file says of the patient; nothing but in DICOM files.
        report: The finding as a DICOM file, where one was asked for.
    """

    picture: Picture
    details: Details
    report: bytes | None = None


def load(
    checkpoint: Path, *, device: str, engine: str, limits: Limits, threads: int, memory: int
) -> "Examiner":
    """Runs in the worker process.

    Raises:
        CheckpointError: The checkpoint is damaged.
        InputError: The device or the engine is not there.
    """
    share = min(threads, torch.get_num_threads())
    torch.set_num_threads(share)
    examiner = Examiner(Classifier(read_checkpoint(checkpoint), device, engine, share), limits)
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # its driver maps more memory than any limit of ours
        limit_memory(memory)
    return examiner


def loader(settings: Settings, checkpoint: Path) -> "partial[Examiner]":
    """`load` for these settings; the cores are shared among the workers.

    Raises:
        InputError: There is no such engine.
    """
    if settings.engine != AUTO:
        parse(settings.engine)
    limits = Limits(max_bytes=settings.max_upload_bytes, max_pixels=settings.max_pixels)
    threads = max(1, (os.cpu_count() or 1) // settings.workers)
    return partial(
        load,
        checkpoint,
        device=settings.device,
        engine=settings.engine,
        limits=limits,
        threads=threads,
        memory=settings.worker_memory,
    )


class Examiner:
    """A classifier and what is done with it for one image.

    Args:
        classifier: Any.
        limits: Of what is decoded.
    """

    def __init__(self, classifier: Classifier, limits: Limits) -> None:
        self._classifier = classifier
        self._limits = limits

    def examine(self, content: bytes, name: str, age: int | None = None) -> Examined:
        """A file of any kind that is taken, whatever its name says.

        Args:
            content: Of the file.
            name: What to call it in errors; not the name of the file, which may be the patient's.
            age: What is told of the patient's, in years; otherwise the file's own counts, if it has one.

        Raises:
            ImageError: It cannot be used.
        """
        original, details = self._read(content, name)
        prepared = self._classifier.prepare(original, name, self._group(details.age if age is None else age))
        [finding] = self._classifier.findings([prepared])
        return Examined(Picture.of(finding, original, prepared.seen), details)

    def report(self, content: bytes, name: str, age: int | None = None) -> Examined:
        """A DICOM file, with a DICOM report that is filed where the file belongs.

        Raises:
            ImageError: It cannot be used, is no DICOM file, or does not say where it belongs.
        """
        filing = filing_of(content, self._limits, name)
        examined = self.examine(content, name, age)
        return Examined(
            examined.picture, examined.details, structured_report(examined.picture.finding, filing)
        )

    def heat_map(self, seen: bytes, code: str, method: str) -> bytes:
        """PNG of a heat map in colours, as large as the square it belongs to.

        Args:
            seen: PNG of the square that the network saw.
            code: The class that is asked for.
            method: A key of `explain.METHODS`.

        Raises:
            InputError: The network is none that can be explained.
        """
        [[found]] = self._classifier.heat_maps([_prepared(seen)], [code], [method])
        ceiling = float(np.percentile(found.values, CEILING)) or float(found.values.max()) or 1.0
        colours = mpl.colormaps[COLOUR_MAP](found.values / ceiling)[..., :3]
        return png((255 * colours).round().astype(np.uint8))

    def attention(self, seen: bytes) -> list[dict[str, Any]]:
        """What each graph module attends to, as plain values; of a network without any, nothing."""
        try:
            [modules] = self._classifier.graph_attention([_prepared(seen)])
        except InputError:
            return []
        return [_plain(module) for module in modules]

    def _group(self, age: int | None) -> str | None:
        """Of what group a patient's images are; nobody tells a server their source."""
        trust = self._classifier.config.trust
        return age_band(age) if trust and trust.sets.grouping == "age" else None

    def _read(self, content: bytes, name: str) -> tuple[Rgb, Details]:
        if not dicom_in.is_dicom(content):
            return _decoded(content, name, self._limits), Details()
        image = dicom_in.read(content, self._limits, name)
        return image.pixels, Details.model_validate({"age": image.age, "sex": image.sex, "site": image.site})


def _decoded(content: bytes, name: str, limits: Limits) -> Rgb:
    """Like `decode`, with errors that do not quote the libraries'."""
    try:
        return decode(content, name, limits)
    except ImageError as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from None
        raise ImageError(name, error.reason.replace(f" ({error.__cause__})", "")) from None


def _prepared(seen: bytes) -> Prepared:
    square = decode(seen, "image")
    return Prepared("image", square, square, [])


def _plain(module: GraphAttention) -> dict[str, Any]:
    """Nodes by the middle of their cells and their scores, both between 0 and 1, and the context mask."""
    height, width = module.nodes.shape
    strongest = float(module.scores.max()) or 1.0
    nodes = [
        {
            "x": (column + 0.5) / width,
            "y": (row + 0.5) / height,
            "weight": max(0.0, float(module.scores[row, column]) / strongest),
        }
        for row, column in np.argwhere(module.nodes).tolist()
    ]
    return {
        "name": module.module,
        "title": f"Graph module after block {module.module.removeprefix('dcgan')}",
        "nodes": nodes,
        "mask": {"rows": height, "columns": width, "values": module.distributed.clip(0, 1).tolist()},
    }
