"""The way from RGB to the square that the network sees; its parameters are stored in the checkpoint."""

import hashlib
import json
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from transxv2s.imaging.colour import GWSD, Colour
from transxv2s.imaging.crop import central, cut, field_of_view
from transxv2s.imaging.hair import HairRemoval, remove_hair

Rgb = NDArray[np.uint8]

LARGEST_SHORT_SIDE = 192  # larger images are shrunk first: hair is then as wide as in the images trained on
MEAN = STD = 0.5


def resize(rgb: Rgb, height: int, width: int) -> Rgb:
    """To another size: area averages when shrinking, bicubic when enlarging."""
    shrinks = height * width < rgb.shape[0] * rgb.shape[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=kind), dtype=np.uint8)


def bounded(rgb: Rgb) -> Rgb:
    """The image, shrunk so that its short side is at most LARGEST_SHORT_SIDE."""
    height, width = rgb.shape[:2]
    scale = LARGEST_SHORT_SIDE / min(height, width)
    return rgb if scale >= 1 else resize(rgb, max(1, round(height * scale)), max(1, round(width * scale)))


class Preprocessing(BaseModel):
    """Hair removal, crop, colour, resize: one rule in training and prediction alike.

    Crops are fractions of each side and the result is squashed to a square, so that sources that come
    squashed and sources that come whole meet. The defaults are what benchmarks/preprocessing_effect.py
    supports: hair and colour stay as they are.

    Attributes:
        hair_removal: None leaves hair where it is.
        field_of_view: Cut off the dermatoscope's dark surround where there is one.
        crop_fraction: Central fraction of each side that is kept, in (0, 1].
        colour: GWSD or another method, told by its key `method`; None leaves colours as they are.
        size: Side of the square in pixels.
        version: Of the algorithms; raised whenever the same parameters would give other pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hair_removal: HairRemoval | None = None
    field_of_view: bool = True
    crop_fraction: float = Field(default=1.0, gt=0, le=1)
    colour: Colour = None
    size: int = Field(default=128, ge=64)
    version: Literal[3] = 3

    def apply(self, rgb: Rgb) -> Rgb:
        """RGB uint8 (H, W, 3) of any size to uint8 (size, size, 3)."""
        rgb = bounded(rgb)
        box = field_of_view(rgb) if self.field_of_view else None  # first: bars and rims can pass for hair
        if self.hair_removal:
            rgb = remove_hair(rgb, self.hair_removal)
        if box:
            rgb = cut(rgb, box)
        rgb = central(rgb, self.crop_fraction)
        if self.colour:
            rgb = self.colour.apply(rgb)
        return resize(rgb, self.size, self.size)

    def digest(self) -> str:
        """First 12 hex digits of the sha256 of all parameters."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


ARTICLE = Preprocessing(hair_removal=HairRemoval(), colour=GWSD())  # the article's pipeline


def to_tensor(square: Rgb) -> Tensor:
    """uint8 (S, S, 3) to float32 (3, S, S), scaled by (x/255 − 0.5) / 0.5."""
    scaled = (torch.from_numpy(square).float() / 255 - MEAN) / STD
    return scaled.permute(2, 0, 1)
