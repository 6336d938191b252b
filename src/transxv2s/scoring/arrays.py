"""What all scores share: checked arrays, and division that says where nothing can be said."""

from typing import Any

import numpy as np
import numpy.typing as npt

from transxv2s.errors import InputError
from transxv2s.taxonomy import Taxonomy

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Booleans = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.number[Any]]


def checked(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Integers]:
    """Probabilities (N, K) and labels (N,) as arrays.

    Raises:
        InputError: The shapes do not fit, a number is not finite, a label is outside 0 … K-1, or N is 0.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim != 2 or y.shape != p.shape[:1] or p.size == 0:
        raise InputError(f"scores need probabilities (N, K) and labels (N,), not {p.shape} and {y.shape}")
    if not np.isfinite(p).all():
        raise InputError("scores need finite probabilities; some are NaN or infinite")
    if not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= p.shape[1]:
        raise InputError(f"labels must be integers from 0 to {p.shape[1] - 1}")
    return p, y.astype(np.intp)


def checked_for(
    taxonomy: Taxonomy, probabilities: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[Floats, Integers]:
    """As `checked`, for the K classes of a taxonomy.

    Raises:
        InputError: Also where there are not K columns.
    """
    p, y = checked(probabilities, labels)
    if p.shape[1] != len(taxonomy):
        raise InputError(f"{taxonomy.name} has {len(taxonomy)} classes, but there are {p.shape[1]} columns")
    return p, y


def ratio(part: Numbers, whole: Numbers) -> Floats:
    """Division that gives NaN, without a warning, where the whole is zero."""
    result: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return result


def mean_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is left."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1))


def share(hits: Booleans) -> float | None:
    """Share of true values; None where there are no values."""
    return float(hits.mean()) if hits.size else None


def or_none(value: float | np.float64 | Floats) -> float | None:
    """A number for JSON: None for NaN."""
    return None if np.isnan(value) else float(value)
