"""Random changes of training images, on uint8 tensors, with torchvision's transforms."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

from transxv2s.training.recipe import Augmentation

SMALLEST_SHARE = 0.5  # resolution jitter shrinks down to this share of the side
ASPECT = (3 / 4, 4 / 3)


class QuarterTurn(nn.Module):
    """Turns by 0, 90, 180 or 270 degrees, all as likely."""

    def forward(self, image: Tensor) -> Tensor:
        """Image (..., S, S) to the same shape."""
        return torch.rot90(image, int(torch.randint(4, ())), (-2, -1))


class ResolutionJitter(nn.Module):
    """Shrinks and enlarges again, so that sharpness does not tell from which hospital an image comes.

    Args:
        probability: How often.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, image: Tensor) -> Tensor:
        """Image uint8 (3, S, S) to the same shape."""
        if torch.rand(()) >= self.probability:
            return image
        size = image.shape[-1]
        side = int(size * (SMALLEST_SHARE + (1 - SMALLEST_SHARE) * torch.rand(()).item()))
        small = F.interpolate(image[None].float(), (side, side), mode="bilinear", antialias=True)
        back = F.interpolate(small, (size, size), mode="bicubic")[0]
        return back.clamp(0, 255).round().to(torch.uint8)


def build(augmentation: Augmentation, size: int) -> nn.Module:
    """The augmentation as a module on uint8 images (3, size, size)."""
    steps: list[nn.Module] = []
    if augmentation.resolution_jitter:
        steps.append(ResolutionJitter(augmentation.resolution_jitter))
    if augmentation.min_area < 1:
        steps.append(v2.RandomResizedCrop(size, (augmentation.min_area, 1.0), ASPECT, antialias=True))
    if augmentation.dihedral:
        steps += [v2.RandomHorizontalFlip(), QuarterTurn()]
    if jitter := augmentation.colour_jitter:
        steps.append(v2.ColorJitter(jitter, jitter, jitter, jitter / 10))
    return nn.Sequential(*steps)
