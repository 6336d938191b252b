"""Colour normalisation: Gray World Standard Deviation (GWSD) of the article."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

BRIGHTEST = 255.0

Pixel = TypeVar("Pixel", np.uint8, np.float32, np.float64)


class GWSD(BaseModel):
    """Parameters of Gray World Standard Deviation.

    Attributes:
        target_mean: μ_G in grey levels 0..255; None takes the image's own mean over channels of μ_c.
        target_std: σ_G in grey levels; None takes the image's own mean over channels of σ_c.
        max_gain: Cap of the scale s_c = σ_G / σ_c, so that a flat channel stays finite.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target_mean: float | None = Field(default=163.7, ge=0, le=BRIGHTEST)
    target_std: float | None = Field(default=47.5, ge=0, le=BRIGHTEST)
    max_gain: float = Field(default=10.0, gt=0)


def gwsd(image: NDArray[Pixel], parameters: GWSD) -> NDArray[Pixel]:
    """Standardises each channel: x' = clip(s_c·(x − μ_c) + μ_G, 0, 255), s_c = min(σ_G / σ_c, max_gain).

    μ_c and σ_c (the population deviation) are those of one channel of one image.

    Args:
        image: (..., H, W, C) in grey levels 0..255, of any of the three types.
        parameters: Targets and cap.

    Returns:
        The same shape and type; uint8 is rounded.
    """
    values = image.astype(np.float64)
    mean = values.mean((-3, -2), keepdims=True)
    std = values.std((-3, -2), keepdims=True)
    target_mean = mean.mean(-1, keepdims=True) if parameters.target_mean is None else parameters.target_mean
    target_std = std.mean(-1, keepdims=True) if parameters.target_std is None else parameters.target_std
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(std > 0, np.minimum(target_std / std, parameters.max_gain), parameters.max_gain)
    scaled = np.clip(gain * (values - mean) + target_mean, 0, BRIGHTEST)
    result: NDArray[Pixel] = (np.rint(scaled) if image.dtype == np.uint8 else scaled).astype(image.dtype)
    return result
