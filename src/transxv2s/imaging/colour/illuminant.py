"""Gray World, Shades of Gray and max-RGB: the light's colour is a Minkowski mean of the image's.

van de Weijer, Gevers and Gijsenij, Edge-based color constancy, IEEE TIP 2007, put all three in one frame:
e_c = (mean x_c^p)^(1/p). It is divided out, and white light of the same length |e| put in its place:
x'_c = x_c·|e| / (√C·e_c).
"""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from transxv2s.imaging.colour.affine import TINY, Line, PerChannel, weighted_mean
from transxv2s.imaging.colour.images import BRIGHTEST


class Illuminant(PerChannel, ABC):
    """Base: divides the estimated light out, with gains of at most max_gain."""

    @abstractmethod
    def illuminant(self, values: Tensor, counts: Tensor | None) -> Tensor:
        """The light's colour e (..., C) in grey levels, from values (..., C, N)."""

    def line(self, values: Tensor, counts: Tensor | None) -> Line:
        """The gain of each channel; no offset."""
        light = self.illuminant(values, counts)
        white = light.square().mean(-1, keepdim=True).sqrt()  # |e| / √C
        gain = (white / light.clamp(min=TINY)).clamp(max=self.max_gain)
        return Line(gain, torch.zeros_like(gain))


def minkowski(values: Tensor, counts: Tensor | None, p: float) -> Tensor:
    """(mean x^p)^(1/p) over the last axis, in grey levels."""
    light: Tensor = BRIGHTEST * weighted_mean((values / BRIGHTEST) ** p, counts) ** (1 / p)
    return light


class GrayWorld(Illuminant):
    """The mean colour is the light's (Buchsbaum 1980): p = 1."""

    method: Literal["gray_world"] = "gray_world"

    def illuminant(self, values: Tensor, counts: Tensor | None) -> Tensor:
        """The mean of each channel."""
        return weighted_mean(values, counts)


class ShadesOfGray(Illuminant):
    """Finlayson and Trezzi 2004: bright pixels tell more about the light.

    Attributes:
        p: Norm; 6 was best there and is what the winner of ISIC 2019 used.
    """

    method: Literal["shades_of_gray"] = "shades_of_gray"
    p: float = Field(default=6.0, ge=1, le=100)

    def illuminant(self, values: Tensor, counts: Tensor | None) -> Tensor:
        """The Minkowski mean of each channel."""
        return minkowski(values, counts, self.p)


class MaxRGB(Illuminant):
    """The brightest value of each channel is the light's (Land's white patch): p = ∞."""

    method: Literal["max_rgb"] = "max_rgb"

    def illuminant(self, values: Tensor, counts: Tensor | None) -> Tensor:
        """The largest value of each channel that occurs."""
        return (values if counts is None else values * (counts > 0)).amax(-1)
