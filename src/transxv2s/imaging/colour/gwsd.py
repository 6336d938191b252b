"""Gray World Standard Deviation (GWSD), the article's colour normalisation."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from transxv2s.errors import InputError
from transxv2s.imaging.colour.affine import TINY, Line, PerChannel, weighted_mean
from transxv2s.imaging.colour.images import BRIGHTEST, Image, checked
from transxv2s.imaging.colour.robust import robust_moments


class GWSD(PerChannel):
    """x' = clip(s_c·(x − μ_c) + μ_G, 0, 255), s_c = min(σ_G / σ_c, max_gain).

    μ_c and σ_c (the population deviation) are those of one channel of one image.

    Attributes:
        target_mean: μ_G in grey levels 0..255; None takes the image's own mean over channels of μ_c.
        target_std: σ_G in grey levels; None takes the image's own mean over channels of σ_c.
        robust: Take μ_c and σ_c where neither vignette, dark corners nor highlights decide them.
        max_gain: Cap of the scale s_c, so that a flat channel stays finite.
    """

    method: Literal["gwsd"] = "gwsd"
    target_mean: float | None = Field(default=163.7, ge=0, le=BRIGHTEST)
    target_std: float | None = Field(default=47.5, ge=0, le=BRIGHTEST)
    robust: bool = False

    def line(self, values: Tensor, counts: Tensor | None) -> Line:
        """The line from all values of a channel."""
        mean = weighted_mean(values, counts)
        variance = weighted_mean((values - mean[..., None]) ** 2, counts)
        return self._line(mean, variance.sqrt())

    def line_of(self, image: Tensor) -> Line:
        """The lines of images (..., C, H, W); the robust one sees where a value is, and has no gradient."""
        if not self.robust:
            return super().line_of(image)
        arrays = image.detach().movedim(-3, -1).cpu().numpy().reshape(-1, *image.shape[-2:], image.shape[-3])
        moments = torch.from_numpy(np.stack([robust_moments(array) for array in arrays]))
        moments = moments.reshape(*image.shape[:-3], 2, image.shape[-3]).to(image.device)
        return self._line(*moments.unbind(-2))

    def line_of_bytes(self, rgb: NDArray[np.uint8]) -> Line:
        """The lines of one image (H, W, C)."""
        if not self.robust:
            return super().line_of_bytes(rgb)
        return self._line(*torch.from_numpy(robust_moments(rgb)))

    def _line(self, mean: Tensor, std: Tensor) -> Line:
        target_mean = mean.mean(-1, keepdim=True) if self.target_mean is None else self.target_mean
        target_std = std.mean(-1, keepdim=True) if self.target_std is None else self.target_std
        gain = (target_std / std.clamp(min=TINY)).clamp(max=self.max_gain)
        return Line(gain, target_mean - gain * mean)


def gwsd(image: Image, parameters: GWSD) -> Image:
    """GWSD as a function: see `GWSD` for the formula and `Method` for shapes and types."""
    return parameters.apply(image)


def own_targets(image: NDArray[Any], robust: bool = False) -> tuple[float, float]:
    """The image's own grey-world mean and deviation: the means over channels of μ_c and σ_c.

    Args:
        image: (H, W, C) in grey levels 0..255.
        robust: As in `GWSD`.
    """
    checked(image)
    moments = robust_moments(image) if robust else np.stack([image.mean((0, 1)), image.std((0, 1))])
    mean, std = moments.mean(1)
    return float(mean), float(std)


def estimate_targets(images: Iterable[NDArray[Any]], robust: bool = False) -> GWSD:
    """GWSD whose targets are those of a training set: the means over images of their own ones.

    Args:
        images: Each (H, W, C) in grey levels 0..255, as large as you like; one is held at a time.
        robust: As in `GWSD`, for the estimate and in what is returned.

    Raises:
        InputError: There are no images, or one is not an image.
    """
    found = [own_targets(image, robust) for image in images]
    if not found:
        raise InputError("the targets of GWSD cannot be estimated from no images: name some")
    mean, std = np.mean(found, axis=0)
    return GWSD(target_mean=float(mean), target_std=float(std), robust=robust)
