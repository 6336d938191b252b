"""What all scores of novelty share: fitting, checked arrays, parameters by name."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transxv2s.errors import InputError

Floats = NDArray[np.float64]
Stored = NDArray[np.float32]
Kind = Literal["softmax", "energy", "mahalanobis", "neighbours"]


class NoveltyScore(ABC):
    """How unlike the training images an image is: higher is stranger. Fields are parameters, in float32."""

    kind: ClassVar[Kind]

    @classmethod
    def fit(cls, logits: ArrayLike, features: ArrayLike, labels: ArrayLike) -> Self:
        """Fits to training images.

        Args:
            logits: Shape (N, K).
            features: Shape (N, D).
            labels: Class indices, shape (N,); a class may have no image.

        Raises:
            InputError: Not finite, empty, or shapes and labels that do not go together.
        """
        scores, known = _checked(logits, features)
        truth = np.asarray(labels)
        if truth.shape != (len(scores),) or truth.dtype.kind not in "iu" or not len(truth):
            raise InputError(f"Labels {truth.shape} must be integers, one for each of N ≥ 1 images.")
        if truth.min() < 0 or truth.max() >= scores.shape[1]:
            raise InputError(f"Labels must be integers from 0 to {scores.shape[1] - 1}.")
        return cls._fit(known, truth.astype(np.int64))

    def scores(self, logits: ArrayLike, features: ArrayLike) -> Floats:
        """Scores (N,) from logits (N, K) and features (N, D) of the same images.

        Raises:
            InputError: Not finite, not N of both, or not as wide as those it was fitted to.
        """
        scores, seen = _checked(logits, features)
        width = self._width()
        if width not in (None, seen.shape[1]):
            raise InputError(
                f"The score was fitted to {width} features, not {seen.shape[1]}: fit it to this network."
            )
        return self._scores(scores, seen)

    def to_arrays(self) -> dict[str, Stored]:
        """The parameters by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Stored]) -> Self:
        """What `to_arrays` gave.

        Raises:
            InputError: Other names, or an array that is not finite float32.
        """
        names = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        if arrays.keys() != names:
            raise InputError(f"{cls.kind} has the parameters {sorted(names)}, not {sorted(arrays)}.")
        for name, array in arrays.items():
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise InputError(f"{name} of {cls.kind} must be finite numbers in float32.")
        return cls(**arrays)

    @classmethod
    @abstractmethod
    def _fit(cls, features: Floats, labels: NDArray[np.int64]) -> Self: ...

    @abstractmethod
    def _scores(self, logits: Floats, features: Floats) -> Floats: ...

    def _width(self) -> int | None:
        """D; None where features do not matter."""
        return None


def _checked(logits: ArrayLike, features: ArrayLike) -> tuple[Floats, Floats]:
    scores, seen = np.asarray(logits, np.float64), np.asarray(features, np.float64)
    matching = scores.ndim == seen.ndim == 2 and len(scores) == len(seen)
    if not matching or 0 in (scores.shape[1], seen.shape[1]):
        raise InputError(f"Logits {scores.shape} and features {seen.shape} must be (N, K) and (N, D).")
    if not (np.isfinite(scores).all() and np.isfinite(seen).all()):
        raise InputError("Logits or features hold NaN or infinity: leave those images out, mend the network.")
    return scores, seen
