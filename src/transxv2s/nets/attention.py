"""Channel and spatial attention over tokens, used by the first and the last stage of the DCGAN.

Both see a map as tokens (B, H·W, C): in channels-last memory that is the map itself, without a copy.
"""

import torch
from torch import Tensor, nn

Grid = tuple[int, int]


def to_tokens(x: Tensor) -> Tensor:
    """Map (B, C, H, W) to tokens (B, H·W, C); a view where the memory is channels-last."""
    return x.flatten(2).transpose(1, 2)


def to_map(tokens: Tensor, grid: Grid) -> Tensor:
    """Tokens (B, H·W, C) to a map (B, C, H, W) in channels-last memory."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], *grid)


class ChannelAttention(nn.Module):
    """One score a channel, from its mean and its maximum over all positions (CBAM, Woo et al. 2018).

    Args:
        channels: C.
        reduction: The two layers pass through C / reduction units.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, channels, bias=False)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, C) to unbounded scores (B, 1, C)."""
        pooled = torch.cat([tokens.mean(1, keepdim=True), tokens.max(1, keepdim=True).values], dim=1)
        scores: Tensor = self.mlp(pooled)
        return scores.sum(1, keepdim=True)


class SpatialAttention(nn.Module):
    """One score a position, from the mean and the maximum over channels in a 7×7 neighbourhood (CBAM)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size=7, padding=3, bias=False)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Tokens (B, H·W, C) on a grid (H, W) to unbounded scores (B, H·W, 1)."""
        pooled = torch.cat([tokens.mean(2, keepdim=True), tokens.max(2, keepdim=True).values], dim=2)
        return to_tokens(self.conv(to_map(pooled, grid)))
