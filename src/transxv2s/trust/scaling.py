"""Three forms of calibration, from logits to probabilities: temperature, vector and Dirichlet scaling.

Each contains the one before it: q = softmax(z / T), q = softmax(w ⊙ ln p + b), q = softmax(W ln p + b), where
z are the logits of an image and p = softmax(z). Vector scaling (Guo et al. 2017) is written on ln p, not on
z: they differ by a number that softmax ignores and that training leaves to chance. Dirichlet scaling is that
of Kull et al. (2019). `scaling_fit` fits them, `scaling_choice` chooses among them.
"""

from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import log_softmax  # type: ignore[import-untyped]

from transxv2s.errors import InputError
from transxv2s.trust.calibration import softmax

Floats = NDArray[np.float64]
Kind = Literal["temperature", "vector", "dirichlet"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # from the simplest to the richest
Finite = Annotated[float, Field(allow_inf_nan=False)]
Row = tuple[Finite, ...]


class Temperature(BaseModel):
    """Temperature scaling: q = softmax(z / T).

    Attributes:
        kind: Constant that tells the forms apart.
        temperature: T, > 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0, allow_inf_nan=False)

    def probabilities(self, logits: ArrayLike) -> Floats:
        """Calibrated probabilities (..., K) of logits (..., K), rows sum to 1.

        Raises:
            InputError: A logit is not finite.
        """
        return softmax(_finite(logits), self.temperature)


class Vector(BaseModel):
    """Vector scaling: q = softmax(w ⊙ ln p + b).

    Attributes:
        kind: Constant that tells the forms apart.
        weights: w, one a class.
        bias: b, one a class.
        intercept_penalty: μ it was fitted with, ≥ 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["vector"] = "vector"
    weights: Row
    bias: Row
    intercept_penalty: float = Field(ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _one_weight_a_class(self) -> Self:
        if len(self.weights) != len(self.bias):
            raise ValueError("weights and bias must have one number a class")
        return self

    def probabilities(self, logits: ArrayLike) -> Floats:
        """Calibrated probabilities (..., K) of logits (..., K), rows sum to 1.

        Raises:
            InputError: A logit is not finite, or there are not K.
        """
        return softmax(log_probabilities(logits, len(self.bias)) * self.weights + self.bias)


class Dirichlet(BaseModel):
    """Dirichlet scaling: q = softmax(W ln p + b).

    Attributes:
        kind: Constant that tells the forms apart.
        weights: W, K rows of K numbers; row j makes the score of class j.
        bias: b, one a class.
        intercept_penalty: μ it was fitted with, ≥ 0.
        off_diagonal_penalty: λ it was fitted with, ≥ 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["dirichlet"] = "dirichlet"
    weights: tuple[Row, ...]
    bias: Row
    intercept_penalty: float = Field(ge=0, allow_inf_nan=False)
    off_diagonal_penalty: float = Field(ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _square(self) -> Self:
        if {len(self.weights), *map(len, self.weights)} != {len(self.bias)}:
            raise ValueError("weights must have a row and a column a class, and bias one number a class")
        return self

    def probabilities(self, logits: ArrayLike) -> Floats:
        """Calibrated probabilities (..., K) of logits (..., K), rows sum to 1.

        Raises:
            InputError: A logit is not finite, or there are not K.
        """
        return softmax(log_probabilities(logits, len(self.bias)) @ np.transpose(self.weights) + self.bias)


Scaling = Annotated[Temperature | Vector | Dirichlet, Field(discriminator="kind")]


def log_probabilities(logits: ArrayLike, classes: int) -> Floats:
    """Logarithms of softmax(logits), (..., K).

    Raises:
        InputError: A logit is not finite, or there are not K.
    """
    values = _finite(logits)
    if values.shape[-1:] != (classes,):
        raise InputError(f"Logits have the shape {values.shape}; this calibration is of {classes} classes.")
    return np.asarray(log_softmax(values, axis=-1))


def _finite(logits: ArrayLike) -> Floats:
    values = np.asarray(logits, np.float64)
    if not np.isfinite(values).all():
        raise InputError("Logits hold NaN or infinity; leave those images out or repair the model.")
    return values
