"""The score of novelty as a checkpoint has it: a threshold in config.json, parameters in safetensors."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.numpy import load, save

from transxv2s.errors import CheckpointError, InputError
from transxv2s.trust.novelty.score import Kind, NoveltyScore
from transxv2s.trust.novelty.scores import SCORES

NOVELTY_FILE = "novelty.safetensors"


class Novelty(BaseModel):
    """From where on an image is unlike those the network knows.

    Attributes:
        kind: Which score; its parameters are in `novelty.safetensors`.
        threshold: An image whose score is higher is novel.
        share: Of images like those of training, at most so many are meant to be called novel, in (0, 1).
        fitted_on: Which images gave parameters and threshold, and how many, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    threshold: float = Field(allow_inf_nan=False)
    share: float = Field(gt=0, lt=1)
    fitted_on: str

    def is_novel(self, scores: ArrayLike) -> NDArray[np.bool_]:
        """Which of the scores (N,) are higher than the threshold."""
        return np.asarray(np.asarray(scores, np.float64) > self.threshold)


def fit_threshold(scores: ArrayLike, share: float = 0.05) -> float:
    """The threshold that a further known image exceeds with a probability of at most `share`.

    It is the ⌈(n + 1)·(1 − share)⌉-th smallest of the n scores, as in split conformal prediction: the rank of
    a further, exchangeable image among them is uniform. Of the n themselves it refers at most n·share.

    Args:
        scores: Of known images that were not trained on, shape (n,).
        share: In (0, 1).

    Raises:
        InputError: A share outside (0, 1), scores that are not finite, or too few: n ≥ 1/share − 1 it takes.
    """
    values = np.sort(np.asarray(scores, np.float64))
    if not 0 < share < 1:
        raise InputError(f"The share is {share}; give one between 0 and 1, such as 0.05.")
    if values.ndim != 1 or not np.isfinite(values).all():
        raise InputError(f"Scores {values.shape} must be finite numbers, one an image.")
    rank = math.ceil(round((len(values) + 1) * (1 - share), 9))  # rounded: 20 · (1 − 0.05) must stay 19
    if rank > len(values):
        least = math.ceil(round(1 / share, 9)) - 1
        raise InputError(f"A share of {share:g} takes {least} known images or more, not {len(values)}.")
    return float(values[rank - 1])


def to_bytes(score: NoveltyScore) -> bytes:
    """Content of `novelty.safetensors`."""
    return save(score.to_arrays(), metadata={"kind": score.kind})


def from_bytes(kind: Kind, content: bytes) -> NoveltyScore:
    """Reads what `to_bytes` wrote.

    Raises:
        CheckpointError: It is something else, or of another kind.
    """
    try:
        return SCORES[kind].from_arrays(load(content))
    except (SafetensorError, InputError) as error:
        raise CheckpointError(f"{NOVELTY_FILE} is damaged ({error}); copy the checkpoint again.") from error
