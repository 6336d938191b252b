"""Methods that give every channel of an image a gain and an offset: x' = clip(gain·x + offset, 0, 255).

The two numbers are defined once, on the values of a channel and how often each occurs. A floating-point image
is such a list of values; for uint8 the 256 levels with their histogram say the same, and the transform is a
table of 256 entries.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from transxv2s.imaging.colour.images import BRIGHTEST, Method, each, to_type

LEVELS = np.arange(256.0)
TINY = 1e-12  # instead of zero in a denominator


class Line(NamedTuple):
    """Gain and offset of each channel, each (..., C)."""

    gain: Tensor
    offset: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """The transform of values (..., C, N), clipped to grey levels."""
        return (self.gain[..., None] * values + self.offset[..., None]).clamp(0, BRIGHTEST)


def weighted_mean(values: Tensor, counts: Tensor | None) -> Tensor:
    """Mean over the last axis (..., N), in which each value occurs so many times (once, where None)."""
    if counts is None:
        return values.mean(-1)
    return (values * counts).sum(-1) / counts.sum(-1)


class PerChannel(Method, ABC):
    """Base of the methods that are a line per channel.

    Attributes:
        max_gain: Cap of the gain, so that flat or black channels stay finite.
    """

    max_gain: float = Field(default=10.0, gt=0)

    @abstractmethod
    def line(self, values: Tensor, counts: Tensor | None) -> Line:
        """The line of each channel from its values (..., C, N), float64, and how often each occurs."""

    def line_of(self, image: Tensor) -> Line:
        """The lines of images (..., C, H, W), float64."""
        return self.line(image.flatten(-2), None)

    def line_of_bytes(self, rgb: NDArray[np.uint8]) -> Line:
        """The lines of one image (H, W, C)."""
        counts = [cv2.calcHist([rgb], [c], None, [256], [0, 256]).ravel() for c in range(rgb.shape[2])]
        values = torch.from_numpy(LEVELS).expand(len(counts), -1)
        return self.line(values, torch.from_numpy(np.stack(counts)).double())

    def apply_to_tensor(self, image: Tensor) -> Tensor:
        """Floating point by the definition, with gradients; uint8 the same, rounded."""
        values = image.double()
        changed = self.line_of(values)(values.flatten(-2)).reshape(image.shape)
        return (changed if image.is_floating_point() else changed.round()).to(image.dtype)

    def apply_to_array(self, image: NDArray[Any]) -> NDArray[Any]:
        """Floating point by the definition; uint8 by a table."""
        if image.dtype == np.uint8:
            return each(image, self._look_up)
        channels_first = torch.from_numpy(np.ascontiguousarray(image)).movedim(-1, -3)
        changed: NDArray[Any] = self.apply_to_tensor(channels_first).movedim(-3, -1).numpy()
        return np.ascontiguousarray(changed)

    def _look_up(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        levels = torch.from_numpy(LEVELS)
        table = to_type(self.line_of_bytes(rgb)(levels).numpy(), rgb.dtype)
        return np.asarray(cv2.LUT(rgb, table.T[None].copy()), np.uint8).reshape(rgb.shape)
