"""Random changes of training images, on uint8 tensors, with torchvision's transforms where they are fast."""

import math
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from transxv2s.training.colour_jitter import ColourJitter, between, to_levels
from transxv2s.training.recipe import Augmentation

ASPECT = (3 / 4, 4 / 3)
RAND_AUGMENT_CHANGES = 2
RAND_AUGMENT_BORDER = 0.35  # of the side; two shears or turns of magnitude 10 look no farther


class QuarterTurn(nn.Module):
    """Turns by 0, 90, 180 or 270 degrees, all as likely."""

    def forward(self, image: Tensor) -> Tensor:
        """Image (..., S, S) to the same shape."""
        return torch.rot90(image, int(torch.randint(4, ())), (-2, -1))


class ResolutionJitter(nn.Module):
    """Shrinks and enlarges again, so that sharpness does not tell from which hospital an image comes.

    Args:
        probability: How often.
        smallest_share: Of the side, down to which it shrinks.
    """

    def __init__(self, probability: float, smallest_share: float) -> None:
        super().__init__()
        self.probability = probability
        self.smallest_share = smallest_share

    def forward(self, image: Tensor) -> Tensor:
        """Image uint8 (3, S, S) to the same shape."""
        if torch.rand(()) >= self.probability:
            return image
        size = image.shape[-1]
        side = int(size * between(self.smallest_share, 1))
        small = F.interpolate(image[None].float(), (side, side), mode="bilinear", antialias=True)
        back = F.interpolate(small, (size, size), mode="bicubic")[0]
        return to_levels(back)


class JpegJitter(nn.Module):
    """Compresses and reads again; with OpenCV, as torchvision is about to give its JPEG up.

    Args:
        quality: The lowest; all up to 100 are as likely.
    """

    def __init__(self, quality: int) -> None:
        super().__init__()
        self.quality = quality

    def forward(self, image: Tensor) -> Tensor:
        """Image uint8 (3, S, S) to the same shape."""
        quality = int(torch.randint(self.quality, 101, ()))
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy()[..., ::-1])
        _, file = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        again = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[..., ::-1]
        return torch.from_numpy(again.copy()).permute(2, 0, 1)


class Rotation(nn.Module):
    """Turns by any angle; what comes from outside the image is its reflection, so that no corner is black.

    Args:
        degrees: Largest angle, either way.
    """

    def __init__(self, degrees: float) -> None:
        super().__init__()
        self.degrees = degrees

    def forward(self, image: Tensor) -> Tensor:
        """Image uint8 (3, S, S) to the same shape."""
        angle = math.radians(between(-self.degrees, self.degrees))
        cosine, sine = math.cos(angle), math.sin(angle)
        matrix = torch.tensor([[[cosine, -sine, 0.0], [sine, cosine, 0.0]]])
        grid = F.affine_grid(matrix, [1, *image.shape], align_corners=False)
        turned = F.grid_sample(image[None].float(), grid, "bicubic", "reflection", align_corners=False)
        return to_levels(turned[0])


class Reflected(nn.Module):
    """Applies a change to the image continued by reflection, and cuts it back, so that no border is black.

    Args:
        change: On uint8 (3, T, T).
        border: How far to continue, as a share of the side.
    """

    def __init__(self, change: nn.Module, border: float) -> None:
        super().__init__()
        self.change = change
        self.border = border

    def forward(self, image: Tensor) -> Tensor:
        """Image uint8 (3, S, S) to the same shape."""
        width = int(self.border * image.shape[-1])
        wider = v2.functional.pad(image, [width], padding_mode="reflect")
        changed: Tensor = self.change(wider)[:, width:-width, width:-width]
        return changed


def rand_augment(magnitude: int) -> Any:
    """Torchvision's RandAugment without translations, which random crops bring already."""
    change: Any = v2.RandAugment(RAND_AUGMENT_CHANGES, magnitude, interpolation=v2.InterpolationMode.BILINEAR)
    kinds = change._AUGMENTATION_SPACE
    change._AUGMENTATION_SPACE = {k: v for k, v in kinds.items() if not k.startswith("Translate")}
    return change


def build(augmentation: Augmentation, size: int) -> nn.Module:
    """The part of the augmentation that works on single images, a module on uint8 (3, size, size)."""
    steps: list[nn.Module] = []
    if augmentation.resolution_jitter:
        steps.append(ResolutionJitter(augmentation.resolution_jitter, augmentation.smallest_share))
    if augmentation.jpeg_quality < 100:
        steps.append(JpegJitter(augmentation.jpeg_quality))
    if augmentation.rotation:
        steps.append(Rotation(augmentation.rotation))
    if augmentation.min_area < 1:
        steps.append(v2.RandomResizedCrop(size, (augmentation.min_area, 1.0), ASPECT, antialias=True))
    if augmentation.dihedral:
        steps += [v2.RandomHorizontalFlip(), QuarterTurn()]
    if augmentation.colour_jitter:
        steps.append(ColourJitter(augmentation.colour_jitter))
    if magnitude := augmentation.rand_augment:
        steps.append(Reflected(rand_augment(magnitude), RAND_AUGMENT_BORDER))
    return nn.Sequential(*steps)
