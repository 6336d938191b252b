"""The real way of an image with a network that takes no time: melanoma is dark, a nevus is light."""

import io
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from transxv2s.checkpoint import Checkpoint, CheckpointConfig
from transxv2s.classifier import Classifier
from transxv2s.imaging.decode import Limits
from transxv2s.imaging.pipeline import Preprocessing
from transxv2s.serve.worker_process import Call, Done, Failed, limit_memory, outcome_of
from transxv2s.serve.worker_tasks import Examined, Examiner
from transxv2s.taxonomy import ISIC2019
from trusting import plain_trust

LIMITS = Limits(max_bytes=2_000_000, max_pixels=1_000_000)
BUDGET = 400_000_000  # bytes of memory for one image
DARK, LIGHT = 60, 200
SKIN = (25, 0, -20)


class Brightness(nn.Module):
    """Logits of melanoma and nevus from the mean of an image; all others are far behind."""

    def forward_features(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3))[:, None]

    def classify(self, features: Tensor) -> Tensor:
        logits = torch.full((len(features), len(ISIC2019)), -20.0)
        logits[:, 0], logits[:, 1] = -8 * features[:, 0], 8 * features[:, 0]
        return logits


def config() -> CheckpointConfig:
    """Calibrated by decree: what is malignant, or neither dark nor light, is referred."""
    return CheckpointConfig(
        variant="transxv2s_net_efficientnetv2_s",
        preprocessing=Preprocessing(hair_removal=None, field_of_view=False, colour=None, size=64),
        trust=plain_trust(min_confidence=0.9, max_suspicion=0.3, rare={"DF": 0.2}),
    )


def write_config(folder: Path) -> Path:
    """A checkpoint directory as far as the server itself reads it."""
    folder.mkdir(exist_ok=True)
    named = config().model_copy(update={"weights": {"model.safetensors": "0" * 64}})
    (folder / "config.json").write_text(named.model_dump_json())
    return folder


class TinyExaminer(Examiner):
    """Heat maps of its own: the tiny network cannot be explained."""

    def heat_map(self, seen: bytes, code: str, method: str) -> bytes:
        """The picture itself."""
        return seen


def examiner(digest: str = "0123456789ab") -> TinyExaminer:
    """As `worker_tasks.load` gives it."""
    return TinyExaminer(Classifier(Checkpoint(config(), Brightness, digest), "cpu"), LIMITS)


def load() -> TinyExaminer:
    """For worker processes, with bounded memory."""
    torch.set_num_threads(1)
    made = examiner()
    limit_memory(BUDGET)
    return made


class Inline:
    """In place of the worker processes: does each call at once."""

    def __init__(self, made: TinyExaminer) -> None:
        self.examiner = made
        self.ready = True
        self.waiting = 0
        self.restarts = 0
        self.error: Exception | None = None
        self.calls: list[Call] = []

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def run(self, calls: Sequence[Call], unwanted: Future[None] | None = None) -> list[Any]:
        """Or raises `error`, where a test has set one."""
        if self.error:
            raise self.error
        self.calls += calls
        return [self._one(call) for call in calls]

    def _one(self, call: Call) -> Examined | bytes:
        outcome = outcome_of(lambda: getattr(self.examiner, call.method)(*call.arguments))
        if isinstance(outcome, Done):
            found: Examined | bytes = outcome.value
            return found
        raise RuntimeError(outcome.trace) if isinstance(outcome, Failed) else outcome.error


def image(level: int = DARK, kind: str = "PNG", side: int = 80, **options: Any) -> bytes:
    """A file with an image that has structure, so that nothing is wrong with its quality."""
    noise = np.random.default_rng(level).normal(0, 40, (side, side + 10))
    grey = level + cv2.GaussianBlur(noise, (0, 0), 1.2)[..., None]
    pixels = np.clip(grey + SKIN, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()
