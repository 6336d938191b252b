"""The front door: `Classifier.load(directory).classify(image)` gives a `Finding`."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transxv2s import engines
from transxv2s.checkpoint import (
    OWN_FILES,
    Checkpoint,
    CheckpointConfig,
    open_checkpoint,
    read_seen_images,
)
from transxv2s.datasets.provenance import SeenImages
from transxv2s.engines import REFERENCE
from transxv2s.errors import CheckpointError, InputError
from transxv2s.finding import Finding
from transxv2s.imaging.decode import decode
from transxv2s.imaging.pipeline import bounded, to_tensor
from transxv2s.imaging.quality import quality_notes
from transxv2s.taxonomy import Taxonomy
from transxv2s.trust.calibration import softmax
from transxv2s.trust.judgement import advice
from transxv2s.trust.rules import Evidence, one_of

if TYPE_CHECKING:  # at run time only where heat maps are asked for: the library of networks takes seconds
    from transxv2s.explain import GraphAttention, HeatMap
    from transxv2s.nets import TransXV2SNet

Source: TypeAlias = str | Path | bytes | NDArray[np.uint8]
AnySource = TypeVar("AnySource", bound=Source)

BATCH = 16  # images decoded and held at once by `classify`
CHECKPOINT_VARIABLE = "TRANSXV2S_CHECKPOINT"
SHIPPED_CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoints" / "transxv2s_net"
HUB_FILES = list(OWN_FILES)
UNCALIBRATED = "the checkpoint is not calibrated, so its probabilities say little about how sure it is"


@dataclass(frozen=True)
class Prepared:
    """One image on its way to the network.

    Attributes:
        id: Name of the image.
        original: As decoded, RGB uint8 (H, W, 3).
        seen: The square the network sees, RGB uint8 (S, S, 3).
        quality: What is wrong with the image, in plain words.
        group: Of what group it is, where prediction sets are fitted by group; None if that is not known.
    """

    id: str
    original: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    quality: list[str]
    group: str | None = None


class Classifier:
    """A checkpoint at work. It keeps no state between calls, so threads may share it.

    Args:
        checkpoint: As `read_checkpoint` or `open_checkpoint` gives it; its model is moved to the device when
            it is first needed, by an eager engine at once, by others for heat maps.
        device: "auto" (the GPU if there is one), or a torch device.
        engine: What runs the network: a name of `engines.ENGINES`, or "auto". Heat maps always take PyTorch.
        threads: As for `engines.load`.

    Raises:
        InputError: The device or the engine is not there.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: str = "auto", engine: str = REFERENCE, threads: int = 0
    ) -> None:
        self._checkpoint = checkpoint
        self._taxonomy = checkpoint.config.to_taxonomy()
        self._device = usable_device(device)
        self._explained: Any = None
        self._moving = Lock()
        self._engine = engines.load(engine, checkpoint, self._device, threads)
        self._judge = checkpoint.judge()

    @classmethod
    def load(
        cls, directory: str | Path, device: str = "auto", engine: str = REFERENCE, threads: int = 0
    ) -> Self:
        """Read a checkpoint directory; the other arguments are those of the class.

        Weights are read when they are needed: by an engine that has a file of its own for heat maps alone.

        Raises:
            CheckpointError: It is not there, damaged or not one of ours.
            InputError: The device or the engine is not there.
        """
        return cls(open_checkpoint(directory), device, engine, threads)

    @classmethod
    def from_pretrained(
        cls,
        directory_or_repo_id: str | Path,
        revision: str | None = None,
        device: str = "auto",
        engine: str = REFERENCE,
    ) -> Self:
        """Read a checkpoint directory, or fetch one from the Hugging Face Hub.

        Args:
            directory_or_repo_id: A directory if there is one of that name, else "owner/name" on the Hub.
            revision: Branch, tag or commit on the Hub.
            device: As for `load`.
            engine: As for `load`.

        Raises:
            CheckpointError: The download failed, or what was found is not a whole checkpoint.
            InputError: The device or the engine is not there.
        """
        if Path(directory_or_repo_id).is_dir():
            return cls.load(directory_or_repo_id, device, engine)
        return cls.load(_download(str(directory_or_repo_id), revision), device, engine)

    @property
    def config(self) -> CheckpointConfig:
        """The checkpoint's config.json."""
        return self._checkpoint.config

    @property
    def digest(self) -> str:
        """Digest of the checkpoint."""
        return self._checkpoint.digest

    @property
    def engine(self) -> str:
        """Name of the engine at work, in int8 with its calibration; never "auto"."""
        return self._engine.name

    def seen_images(self) -> SeenImages | None:
        """The images of training, validation and calibration; None where the checkpoint does not tell.

        Raises:
            CheckpointError: The list is missing or damaged.
        """
        directory = self._checkpoint.directory
        content = directory and read_seen_images(directory, self.config)
        return SeenImages.from_bytes(content) if content else None

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes, in the order of the probabilities."""
        return self._taxonomy

    def prepare(self, source: Source, name: str | None = None, group: str | None = None) -> Prepared:
        """Decode one image and make the square the network sees.

        Args:
            source: Path, file content, or RGB uint8 (H, W, 3).
            name: What to call it; by default the file name, or "image".
            group: Of what group it is, where prediction sets are fitted by group; None if that is not known.

        Raises:
            ImageError: The image cannot be used.
        """
        original = decode(source, name)
        shrunk = bounded(original)
        seen = self.config.preprocessing.apply(shrunk)
        image_id = _stem(source if name is None else name)
        return Prepared(image_id, original, seen, quality_notes(original, shrunk), group)

    def findings(self, images: Sequence[Prepared]) -> list[Finding]:
        """Findings of prepared images, in one forward pass: as much memory as images are given."""
        if not images:
            return []
        evidence = self._evidence(images, *self.outputs(images))
        reasons = self._judge.reasons(evidence) if self._judge else _uncalibrated(images)
        return [self._finding(image, evidence, i, reasons[i]) for i, image in enumerate(images)]

    def outputs(self, images: Sequence[Prepared]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (B, K) of prepared images, and the features (B, F) that they are made of."""
        return self._engine.run(np.stack([image.seen for image in images]))

    @overload
    def classify(self, sources: Source) -> Finding: ...
    @overload
    def classify(self, sources: list[AnySource]) -> list[Finding]: ...
    def classify(self, sources: Source | list[AnySource]) -> Finding | list[Finding]:
        """Finding of one image, or of each of a list, 16 at a time.

        Args:
            sources: A path, file content or RGB uint8 (H, W, 3), or a list of them. The ids of a list are
                made unique.

        Raises:
            ImageError: An image cannot be used; it is named.
        """
        if not isinstance(sources, list):
            return self.findings([self.prepare(sources)])[0]
        named = list(zip(sources, unique_ids(sources), strict=True))
        batches = (named[start : start + BATCH] for start in range(0, len(named), BATCH))
        return [
            finding
            for batch in batches
            for finding in self.findings([self._prepare_as(source, image_id) for source, image_id in batch])
        ]

    def heat_maps(
        self,
        images: Sequence[Prepared],
        codes: Sequence[str],
        methods: Sequence[str] | None = None,
        target: str = "fused",
    ) -> "list[list[HeatMap]]":
        """Where the network looked: for each prepared image a heat map of each method, for one class.

        Args:
            images: What to explain.
            codes: The class to ask for, of each image.
            methods: Keys of `explain.METHODS`; the six by default.
            target: As for `explain.heat_maps`.

        Raises:
            InputError: A method or target is not there, or the network is none that can be explained.
            KeyError: A code is not of the taxonomy.
        """
        from transxv2s.explain import SIX, heat_maps

        if not images:
            return []
        classes = torch.tensor([[self.taxonomy.index(code)] for code in codes])
        return heat_maps(
            self._network(), _batch(images), SIX if methods is None else methods, classes, [target]
        )

    def graph_attention(self, images: Sequence[Prepared]) -> "list[list[GraphAttention]]":
        """What the network attends to by itself: for each prepared image the attention of each DCGAN module.

        Raises:
            InputError: The network has no DCGAN.
        """
        from transxv2s.explain import graph_attention

        return graph_attention(self._network(), _batch(images)) if images else []

    def _network(self) -> "TransXV2SNet":
        from transxv2s.nets import TransXV2SNet

        with self._moving, torch.inference_mode(False):  # threads may explain at once, in any mode
            if self._explained is None:
                model = self._checkpoint.model.eval().to(self._device)
                self._explained = model.to(memory_format=torch.channels_last)
        if not isinstance(self._explained, TransXV2SNet):
            raise InputError(f"{self.config.variant} cannot be explained: take a variant of TransXV2S-Net")
        return self._explained

    def _prepare_as(self, source: Source, image_id: str) -> Prepared:
        """Prepare under a given id; an error still names a file by its own name.

        The decoded image gives way to the square at once: 16 of the largest would take 4 GB.
        """
        prepared = self.prepare(source, None if isinstance(source, str | Path) else image_id)
        return replace(prepared, id=image_id, original=prepared.seen)

    def _evidence(
        self, images: Sequence[Prepared], logits: NDArray[np.float32], features: NDArray[np.float32]
    ) -> Evidence:
        """Without calibration the network's own probabilities, and sets of one class."""
        quality = [image.quality for image in images]
        if self._judge:
            return self._judge.evidence(logits, features, quality, [image.group for image in images])
        probabilities = softmax(logits)
        first = np.arange(probabilities.shape[1]) == probabilities.argmax(axis=1)[:, None]
        none = np.zeros(len(images), dtype=bool)
        return Evidence(probabilities, probabilities.argmax(axis=1), first, none, quality)

    def _finding(self, image: Prepared, evidence: Evidence, i: int, reasons: list[str]) -> Finding:
        """What is said of one image, which is image i of the evidence."""
        taxonomy, probabilities = self.taxonomy, evidence.probabilities[i]
        order = np.argsort(-probabilities, kind="stable")
        possible = [taxonomy.classes[k] for k in order if evidence.members[i, k]]
        predicted = taxonomy.classes[evidence.predicted[i]]
        return Finding(
            id=image.id,
            probabilities=dict(zip(taxonomy.codes, probabilities.tolist(), strict=True)),
            predicted=predicted.code,
            predicted_name=predicted.name,
            prediction_set=[c.code for c in possible],
            may_be=one_of([c.name for c in possible]),
            decision="expert_review" if reasons else "answer",
            reasons=reasons,
            advice="" if reasons else advice(predicted.code, taxonomy),
            quality=image.quality,
            model=self.config.variant,
            checkpoint=self.digest,
        )


def _uncalibrated(images: Sequence[Prepared]) -> list[list[str]]:
    return [[UNCALIBRATED, *image.quality] for image in images]


def _batch(images: Sequence[Prepared]) -> Tensor:
    """The squares as the network takes them, (B, 3, S, S)."""
    return torch.stack([to_tensor(image.seen) for image in images])


def default_checkpoint() -> Path:
    """Directory of the checkpoint to use when none is named: $TRANSXV2S_CHECKPOINT, or the checkout's own.

    Raises:
        CheckpointError: There is neither.
    """
    named = os.environ.get(CHECKPOINT_VARIABLE)
    folder = Path(named) if named else SHIPPED_CHECKPOINT
    if folder.is_dir():
        return folder
    if named:
        raise CheckpointError(
            f"{CHECKPOINT_VARIABLE} names {named}, which is no directory; correct or unset it."
        )
    raise CheckpointError(
        f"No checkpoint comes with this installation; name one, or set {CHECKPOINT_VARIABLE}."
    )


def unique_ids(sources: Sequence[Source]) -> list[str]:
    """File stems, "image" for bytes and arrays; repeats get _2, _3 …, but never another file's stem."""
    stems = [_stem(source) for source in sources]
    taken, numbers = set(stems), dict[str, Iterator[int]]()
    ids = []
    for stem in stems:
        unique = stem
        if stem in numbers:
            unique = next(name for n in numbers[stem] if (name := f"{stem}_{n}") not in taken)
        numbers.setdefault(stem, count(2))
        taken.add(unique)
        ids.append(unique)
    return ids


def _stem(source: Source) -> str:
    return Path(source).stem if isinstance(source, str | Path) else "image"


def usable_device(device: str) -> torch.device:
    """The device of this name; "auto" is the GPU if there is one.

    Raises:
        InputError: It is not there.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"The device {name!r} cannot be used on this machine; take 'auto' or 'cpu'."
        ) from error


def _download(repo_id: str, revision: str | None) -> str:
    from huggingface_hub import snapshot_download

    try:
        return snapshot_download(repo_id, revision=revision, allow_patterns=HUB_FILES)
    except Exception as error:  # the client's errors differ between its major versions
        raise CheckpointError(
            f"{repo_id} is no directory here and could not be fetched from the Hugging Face Hub "
            f"({type(error).__name__}); check the name and the network, or name a directory."
        ) from error
