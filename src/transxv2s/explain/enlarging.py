"""Maps in the size of the image."""

import torch
import torch.nn.functional as F
from torch import Tensor


def enlarged(maps: Tensor, size: torch.Size) -> Tensor:
    """Maps (B, K, h, w) bilinearly to (B, K, H, W), each position spread over the pixels it covers."""
    share = maps.shape[2:].numel() / size.numel()
    return share * F.interpolate(maps, tuple(size), mode="bilinear")


def scaled(raw: Tensor, size: torch.Size) -> Tensor:
    """Signed maps (B, K, h, w) to (B, K, H, W): negative parts cut off, enlarged, from 0 to 1.

    A map that is flat after that says nothing and becomes 0.
    """
    grown = F.interpolate(raw.float().relu(), tuple(size), mode="bilinear")
    low, high = grown.amin((2, 3), keepdim=True), grown.amax((2, 3), keepdim=True)
    return torch.where(high > low, (grown - low) / (high - low), 0)
